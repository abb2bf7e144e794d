"""The export: plan, render what is missing, write what makes the clips a data set."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from signgen import __version__
from signgen.errors import UserError
from signgen.export.dataset_formats import FORMATS
from signgen.export.export_folder import ExportFolder, Row
from signgen.export.job_inputs import JobInputs, JobInputsReader
from signgen.export.jobs import Job, make_plan, plan_hash
from signgen.export.local_workers import Workers, local_workers
from signgen.export.settings import ExportSettings
from signgen.io.atomic_files import atomic_path, keep_settings
from signgen.io.config import to_yaml
from signgen.io.model_location import model_folder, model_name
from signgen.io.provenance import model_hash
from signgen.runtime.progress import Progress, silent


@dataclass(frozen=True)
class Export:
    """What an export holds. status, quality: how many clips of each; reasons: why some were not measured or failed."""

    output: str
    clips: int
    rendered_now: int
    frames: int
    hours: float
    bytes: int
    status: dict[str, int]
    quality: dict[str, int]
    reasons: dict[str, int]


def export_corpus(
    settings: ExportSettings,
    progress: Progress = silent,
    workers: Workers = local_workers,
) -> Export:
    """Render every clip of the plan that is not there, then the manifest and the formats.

    Killed at any moment, the same call goes on where it stopped, and what comes out is the same. progress: wraps the
    clips still to be rendered, given their number and what happens to them. Raises UserError for settings, corpora or
    models that cannot be used; a clip that cannot be rendered is recorded as failed, and the rest goes on.
    """
    jobs = make_plan(settings)
    digest = model_hash(model_folder(settings.model))
    model = {"model": model_name(settings.model), "model_sha256": digest, "software": f"signgen {__version__}"}
    store = ExportFolder(settings, model)
    with store.locked():
        keep_settings(store.root / "export.json", settings.content | model | {"plan_sha256": plan_hash(jobs)})
        with atomic_path(store.root / "config.yaml") as temporary:
            temporary.write_text(to_yaml(settings), encoding="utf-8")
        missing = [job for job in jobs if not store.is_done(job)]
        for _ in progress(_rendered(settings, store, missing, workers), len(missing), "Exporting"):
            pass
        rows = [store.row(job) for job in jobs]
        with atomic_path(store.root / "manifest.jsonl") as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        written = [row for row in rows if row["status"] == "written"]
        if not written:
            raise UserError(f"no clip could be exported: {rows[0]['reason'] or 'all were dropped'}")
        for name in settings.formats:
            FORMATS[name](store, written)
    return _summary(settings, store, rows, len(missing))


def _rendered(settings: ExportSettings, store: ExportFolder, jobs: list[Job], workers: Workers) -> Iterator[str]:
    """The names of clips as they are stored, those that failed included."""
    if not jobs:
        return
    by_name = {job.name: job for job in jobs}
    orders: dict[str, JobInputs] = {}
    failed: list[str] = []

    def prepared() -> Iterator[JobInputs]:
        reader = JobInputsReader(jobs, settings.fps)
        for job in jobs:
            try:
                orders[job.name] = reader.read(job)
            except UserError as error:
                store.add_failed(job, str(error))
                failed.append(job.name)
            else:
                yield orders[job.name]

    for rendered in workers(settings, prepared()):
        store.add(by_name[rendered.name], orders.pop(rendered.name), rendered)
        yield rendered.name
    yield from failed


def _summary(settings: ExportSettings, store: ExportFolder, rows: list[Row], rendered_now: int) -> Export:
    written = [row for row in rows if row["status"] == "written"]
    return Export(
        output=settings.output,
        clips=len(rows),
        rendered_now=rendered_now,
        frames=sum(row["frames"] for row in written),
        hours=round(sum(row["frames"] / row["fps"] for row in written) / 3600, 4),
        bytes=sum(path.stat().st_size for path in store.root.rglob("*") if path.is_file()),
        status=dict(Counter(row["status"] for row in rows)),
        quality=dict(Counter(row["quality"] for row in rows)),
        reasons=dict(Counter(row["reason"] for row in rows if row["reason"]).most_common(5)),
    )
