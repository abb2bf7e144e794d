"""`signgen export`: a corpus by other signers, in varied motion, labels carried over."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signgen.cli.console import BASICS, MACHINE, Json, announce, report, track
from signgen.cli.train import Overrides
from signgen.io.config_files import config_for

if TYPE_CHECKING:
    from signgen.export import Estimate, Export


def export(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file, such as those in configs/export.")],
    overrides: Overrides = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say how many clips, frames, hours and bytes it would be.", rich_help_panel=BASICS
        ),
    ] = False,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="auto|ADDRESS",
            help="Render on a Ray cluster, a worker for each of its GPUs.",
            rich_help_panel=MACHINE,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Render each clip's poses with other signers and varied motion, as CONFIG says, labels carried over.

    Stopped or killed, the same command goes on where it was: no clip twice, none half-written. Example:

    signgen export configs/export/phoenix14t.yaml roots=CORPUS model=MODEL --dry-run
    """
    config = config_for("export", config)
    announce("Loading torch")
    from signgen.export import ExportSettings, estimate, export_corpus
    from signgen.export.local_workers import local_workers
    from signgen.export.ray_cluster import ray_workers
    from signgen.io.config import load_config

    settings = load_config(ExportSettings, config, overrides or [])
    if dry_run:
        found = estimate(settings)
        report(asdict(found), as_json, describe_estimate(found))
        return
    workers = local_workers if ray is None else ray_workers(ray)
    result = export_corpus(settings, partial(track, unit="clips"), workers)
    report(asdict(result), as_json, describe(result))


def describe_estimate(found: "Estimate") -> str:
    """How much it would be."""
    lines = [
        f"clips   {found.clips:,}, of which {found.done:,} are done",
        f"frames  {found.frames:,}",
        f"hours   {found.hours:.2f} of video",
        f"bytes   about {found.bytes:,} ({found.bytes / 2**30:.2f} GiB), from sampled source frames",
    ]
    if found.unreadable:
        lines.append(f"{found.unreadable} clips of the corpus have no poses that can be read: signgen data check")
    return "\n".join(lines)


def describe(result: "Export") -> str:
    """What is there, how good it is, and what is not known."""
    lines = [
        f"{result.output}: {_counts(result.status)} of {result.clips:,} clips, {result.rendered_now:,} of them now; "
        f"{result.frames:,} frames, {result.hours:.2f} hours, {result.bytes / 2**20:.1f} MiB",
        f"quality: {_counts(result.quality)}",
    ]
    lines += [f"  {count:,} x {reason}" for reason, count in result.reasons.items()]
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
