"""FPDM's trainings in their order, each on what the one before it made."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from signgen.training.checkpoint import checkpoints
from signgen.training.loop import Report

STAGES = ("autoencoder", "fusion", "diffusion")


def train_stages(configs: Path, work: Path, overrides: Iterable[str] = ()) -> Path:
    """Train every stage that has a configuration `configs/STAGE.yaml`, in `work/STAGE`; returns the last one's model.

    What is done is not repeated, what was stopped goes on. overrides: `key=value` for all stages, or
    `STAGE:key=value` for one. Raises UserError as `train` does.
    """
    made: dict[str, Path] = {}
    for stage in STAGES:
        config = configs / f"{stage}.yaml"
        if not config.exists():
            continue
        parts = [f"{part}={model}" for part, model in made.items()] if stage == "diffusion" else []
        given = [f"output={work / stage}", *parts, *of_stage(stage, overrides)]
        made[stage] = train_stage(stage, config, given, name=stage)
    return list(made.values())[-1]


def train_stage(kind: str, config: Path, overrides: Iterable[str], name: str) -> Path:
    """One training, gone on with where it was stopped; its numbers are printed under `name`. Returns its model."""
    from signgen.training import load_settings, train

    settings = load_settings(kind, config, overrides)
    started = bool(checkpoints(settings.folder / "checkpoints"))
    report: Report = partial(print, name, flush=True)
    return train(kind, settings, resume=started, report=report)


def of_stage(stage: str, overrides: Iterable[str]) -> list[str]:
    """Those of `[STAGE:]key=value` overrides that are for a stage, without the prefix that names it."""
    for_all = [override for override in overrides if not override.startswith(tuple(f"{name}:" for name in STAGES))]
    own = [override.removeprefix(f"{stage}:") for override in overrides if override.startswith(f"{stage}:")]
    return for_all + own
