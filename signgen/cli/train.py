"""`signgen train`: one of FPDM's three trainings."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from signgen.cli.console import Json, Meter, announce, report

Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[key=value]...", help="Settings that differ from CONFIG's.")
]


def train(
    kind: Annotated[Literal["autoencoder", "fusion", "diffusion"], typer.Argument(metavar="KIND")],
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file, such as those in configs/.")],
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings and train nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Train KIND (autoencoder, fusion or diffusion) as CONFIG says.

    Ctrl-C checkpoints first; --resume goes on exactly where the run stopped.
    """
    announce("Loading torch")
    from signgen.config import to_yaml
    from signgen.training import load_settings
    from signgen.training import train as run

    settings = load_settings(kind, config, overrides or [])
    if dry_run:
        report({"kind": kind, "settings": asdict(settings)}, as_json, to_yaml(settings).rstrip())
        return
    latest: dict[str, float] = {}
    with Meter(settings.steps, f"Training {kind}", "steps") as meter:

        def show(step: int, values: dict[str, float]) -> None:
            latest.update(values, step=step)
            meter.update(step, f"loss {values['loss']:.4g}")

        model = run(kind, settings, resume=resume, report=show)
    result = {"kind": kind, "model": str(model), "output": settings.output, **latest}
    report(result, as_json, f"{model}: the trained {kind}; log, samples and checkpoints in {settings.output}")
