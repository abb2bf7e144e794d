"""Checkpoints: the whole state of a run in one file, complete or not there."""

from pathlib import Path
from typing import Any

import torch

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_path

KEPT = 2


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state after `step` steps and remove all but the newest checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    with atomic_path(path) as temporary:
        torch.save({"step": step, **state}, temporary)
    for old in checkpoints(folder)[:-KEPT]:
        old.unlink()
    return path


def checkpoints(folder: Path) -> list[Path]:
    """Checkpoints in a folder, the newest last."""
    return sorted(folder.glob("step-????????.pt"))


def load_checkpoint(folder: Path) -> dict[str, Any]:
    """The newest checkpoint's state, tensors on the CPU. Raises UserError where there is none or it is damaged."""
    found = checkpoints(folder)
    if not found:
        raise UserError(f"nothing to resume: {folder} holds no checkpoint")
    try:
        state: dict[str, Any] = torch.load(found[-1], map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from RuntimeError to UnpicklingError for a damaged file
        raise UserError(
            f"checkpoint {found[-1]} cannot be read ({type(error).__name__}): remove it and resume"
        ) from error
    return state
