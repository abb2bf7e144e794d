"""`signgen train`: one of the trainings of FPDM and PCDMs."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from signgen.cli.console import BASICS, Json, Meter, announce, report
from signgen.io.config_files import config_for

if TYPE_CHECKING:
    from signgen.training.memory_estimate import Estimate
    from signgen.training.required_inputs import Input
    from signgen.training.settings import TrainingSettings

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[key=value]...", help="Settings that differ from CONFIG's.")
]


def train(
    kind: Annotated[
        Literal["autoencoder", "fusion", "diffusion", "distill", "pcdm-prior", "pcdm-inpaint", "pcdm-refine"],
        typer.Argument(metavar="KIND"),
    ],
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file, such as those in configs/.")],
    overrides: Overrides = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.", rich_help_panel=BASICS)
    ] = False,
    allow_changes: Annotated[
        bool,
        typer.Option(
            "--allow-changes",
            help="Resume although settings differ that change no number: steps, minutes, intervals, workers, memory.",
            rich_help_panel=BASICS,
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what it would take (memory, arithmetic, data) and train nothing.",
            rich_help_panel=BASICS,
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Train KIND as CONFIG says.

    For FPDM: autoencoder, fusion, diffusion, distill. For PCDMs: pcdm-prior, pcdm-inpaint, pcdm-refine.

    Ctrl-C checkpoints first; --resume goes on exactly where the run stopped. Example:

    signgen train fusion configs/mini/fusion.yaml data.roots=CORPUS
    """
    config = config_for(f"train {kind}", config)
    announce("Loading torch")
    from signgen.systems.trainings import load_settings
    from signgen.systems.trainings import train as run

    settings = load_settings(kind, config, overrides or [])
    if dry_run:
        report_estimate(kind, settings, as_json)
        return
    latest: dict[str, float] = {}
    with Meter(settings.steps, f"Training {kind}", "steps") as meter:

        def show(step: int, values: dict[str, float]) -> None:
            latest.update(values, step=step)
            meter.update(step, f"loss {values['loss']:.4g}")

        model = run(kind, settings, resume=resume, changes=allow_changes, report=show)
    result = {"kind": kind, "model": str(model), "output": settings.output, **latest}
    report(result, as_json, f"{model}: the trained {kind}; log, samples and checkpoints in {settings.output}")


def report_estimate(kind: str, settings: "TrainingSettings", as_json: bool) -> None:
    """Print what a training would take and read."""
    from signgen.systems.trainings import KINDS
    from signgen.training.memory_estimate import METHOD, estimate
    from signgen.training.required_inputs import training_inputs

    found = estimate(KINDS[kind][1], settings)
    inputs = training_inputs(settings)
    result: dict[str, Any] = {
        "kind": kind,
        "estimate": asdict(found) | {"total": found.total, "method": METHOD},
        "reads": [asdict(each) for each in inputs],
        "settings": asdict(settings),
    }
    report(result, as_json, "\n".join([*describe(found, settings), "", f"Method: {METHOD}.", "", *_reads(inputs)]))


def describe(found: "Estimate", settings: "TrainingSettings") -> list[str]:
    """Lines about parameters, memory and arithmetic."""
    samples = settings.batch_size * settings.steps
    lines = [f"{'parameters':28} {'':>14}  trained"]
    for name, count in found.parameters.items():
        lines.append(f"  {name:26} {count:>14,}  {found.trained.get(name, 0):,}")
    used = "with" if found.checkpointing else "without"
    lines += ["", f"memory of a process with {found.shares.device_batch} samples at a time, {settings.precision}"]
    for name in ("weights", "gradients", "optimizer", "ema", "activations"):
        lines.append(f"  {name:26} {_gib(getattr(found, name)):>14}")
    lines += [
        f"  {'... with checkpointing':26} {_gib(found.activations_checkpointed):>14}",
        f"  {f'total, {used} checkpointing':26} {_gib(found.total):>14}",
        "",
        f"{found.flops / 1e12:.4g} TFLOP a step of {settings.batch_size} samples, forward and backward",
        f"a step: {found.shares}",
        f"{settings.steps:,} steps: {samples:,} samples, {found.flops * settings.steps:.3g} FLOP",
    ]
    return lines


def _reads(inputs: list["Input"]) -> list[str]:
    return ["reads", *(f"  {each.setting}: {each.place} ({each.found or 'not on this machine'})" for each in inputs)]


def _gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**27 else f"{count / 2**20:.2f} MiB"
