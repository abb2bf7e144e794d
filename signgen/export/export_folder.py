"""Rendered clips on disk: files first, then the manifest's row, so that a clip with a row is complete."""

import json
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from signgen.errors import UserError
from signgen.export.clip_renderer import Rendered
from signgen.export.job_inputs import JobInputs
from signgen.export.jobs import Job
from signgen.export.quality_gate import verdict
from signgen.export.settings import ExportSettings
from signgen.io.atomic_files import atomic_folder, atomic_path, locked_folder
from signgen.io.limits import read_json
from signgen.io.provenance import STATEMENT
from signgen.poses import write_poses

Row = dict[str, Any]
FRAMES = "features/fullFrame-210x260px"  # the name that readers of Phoenix-2014T expect, whatever the size


class ExportFolder:
    """The folder of an export.

    videos/SPLIT/NAME.mp4 (or features/.../SPLIT/NAME/images0001.png, ...), poses/SPLIT/NAME.npz, and rows/NAME.json,
    from which manifest.jsonl is made in the end.
    """

    def __init__(self, settings: ExportSettings, model: dict[str, str]) -> None:
        self.root = Path(settings.output)
        self.settings = settings
        self.split = settings.split or "train"
        self._model = model

    def locked(self) -> AbstractContextManager[None]:
        """Keep other exports out, and remove what a killed one left half-written. UserError if one is running."""
        return locked_folder(self.root)

    def is_done(self, job: Job) -> bool:
        """Whether a clip is complete. One that failed is not: what it failed on may have been mended."""
        return self._row_path(job).exists() and self.row(job)["status"] != "failed"

    def row(self, job: Job) -> Row:
        path = self._row_path(job)
        row = read_json(path)
        if not isinstance(row, dict) or "status" not in row:
            raise UserError(f"{path}: this is no row of an export: remove the file")
        return row

    def media(self, name: str) -> Path:
        """Where a clip's video or folder of frames lies."""
        if self.settings.media == "mp4":
            return self.root / "videos" / self.split / f"{name}.mp4"
        return self.root / FRAMES / self.split / name

    def poses(self, name: str) -> Path:
        return self.root / "poses" / self.split / f"{name}.npz"

    def add(self, job: Job, order: JobInputs, rendered: Rendered) -> None:
        """Write a rendered clip and its row. A clip that is dropped has a row alone."""
        if rendered.error:
            self.add_failed(job, rendered.error)
            return
        quality, reason = verdict(rendered.scores, self.settings.gate)
        dropped = quality == "bad" and self.settings.gate.action == "drop"
        height, width = order.image.shape[:2]
        if not dropped:
            self._write_media(self.media(job.name), rendered.media)
            write_poses(order.poses, self.poses(job.name))
        self._write_row(
            job,
            status="dropped" if dropped else "written",
            frames=len(order.poses),
            fps=order.poses.fps,
            size=[width, height],
            frames_sha256=rendered.sha256,
            quality=quality,
            reason=reason,
            scores={name: value for name, value in asdict(rendered.scores).items() if name != "reason"},
        )

    def add_failed(self, job: Job, reason: str) -> None:
        """Record that a clip cannot be rendered, and why."""
        self._write_row(job, status="failed", frames=0, quality="not measured", reason=reason)

    def _write_row(self, job: Job, **found: Any) -> None:
        row = job.identity() | {"split": self.split} | found
        if row["status"] == "written":
            row["file"] = self.media(job.name).relative_to(self.root).as_posix()
            row["poses"] = self.poses(job.name).relative_to(self.root).as_posix()
        row |= self._model | {"provenance": STATEMENT}
        with atomic_path(self._row_path(job)) as temporary:
            temporary.write_text(json.dumps(row, allow_nan=False), encoding="utf-8")

    def _write_media(self, path: Path, media: tuple[bytes, ...]) -> None:
        if self.settings.media == "mp4":
            with atomic_path(path) as temporary:
                temporary.write_bytes(media[0])
            return
        with atomic_folder(path) as folder:
            for number, image in enumerate(media, start=1):
                (folder / f"images{number:04}.png").write_bytes(image)

    def _row_path(self, job: Job) -> Path:
        return self.root / "rows" / f"{job.name}.json"
