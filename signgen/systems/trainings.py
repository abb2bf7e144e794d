"""The table of all trainings, and how one is started."""

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

import torch

from signgen.errors import UserError
from signgen.io.atomic_files import locked_folder
from signgen.io.config import load_config
from signgen.runtime.ranks import by_main_process
from signgen.systems.fpdm.train_autoencoder import AutoencoderObjective, AutoencoderSettings
from signgen.systems.fpdm.train_diffusion import DiffusionObjective, DiffusionSettings
from signgen.systems.fpdm.train_distillation import DistillationObjective, DistillationSettings
from signgen.systems.fpdm.train_fusion import FusionObjective, FusionSettings
from signgen.systems.pcdm.train_inpaint import InpaintObjective, InpaintSettings
from signgen.systems.pcdm.train_prior import PriorObjective, PriorSettings
from signgen.systems.pcdm.train_refine import RefineObjective, RefineSettings
from signgen.training.checkpoint import checkpoints
from signgen.training.loop import Report, Trainer
from signgen.training.objective import Objective
from signgen.training.settings import TrainingSettings

KINDS: dict[str, tuple[type[TrainingSettings], type[Objective]]] = {
    "autoencoder": (AutoencoderSettings, AutoencoderObjective),
    "fusion": (FusionSettings, FusionObjective),
    "diffusion": (DiffusionSettings, DiffusionObjective),
    "distill": (DistillationSettings, DistillationObjective),
    "pcdm-prior": (PriorSettings, PriorObjective),
    "pcdm-inpaint": (InpaintSettings, InpaintObjective),
    "pcdm-refine": (RefineSettings, RefineObjective),
}


def load_settings(kind: str, config: Path | str, overrides: Iterable[str] = ()) -> TrainingSettings:
    """The settings of a training of that kind. Raises UserError for an unknown kind or a bad configuration."""
    if kind not in KINDS:
        raise UserError(f"unknown training {kind!r}: choose one of {', '.join(KINDS)}")
    return load_config(KINDS[kind][0], config, overrides)


def train(
    kind: str, settings: TrainingSettings, *, resume: bool = False, changes: bool = False, report: Report
) -> Path:
    """Train and return the folder of the trained model. `report` is called with every logged step's numbers.

    resume: go on from the last checkpoint; UserError where its settings are others, `changes`: where any are that
    change numbers.
    """
    torch.manual_seed(settings.seed)  # initial weights too follow from the seed
    trainer = Trainer(KINDS[kind][1](settings), settings, resume, changes)
    with locked_folder(settings.folder) if trainer.accelerator.is_main_process else nullcontext():
        trainer.run(report)
    return settings.folder / "model"


def train_or_resume(kind: str, settings: TrainingSettings, report: Report) -> Path:
    """As `train`, but a run that was stopped is continued."""
    started = by_main_process(lambda: bool(checkpoints(settings.folder / "checkpoints")))
    return train(kind, settings, resume=started, report=report)
