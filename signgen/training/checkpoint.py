"""Checkpoints: the whole state of a run in one file, complete or not there, and whether a run can go on from it."""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_path
from signgen.io.limits import check_archive

KEPT = 2
# Settings that change no number of a run, beyond rounding, but where it ends, what it shows and what it costs.
HARMLESS = (
    "steps",
    "optimizer.decay_after",
    "minutes",
    "validation",
    "validate_every",
    "log_every",
    "checkpoint_every",
    "device_batch",
    "gradient_checkpointing",
    "compile",
    "data.workers",
    "data.preload",
)


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write the state after `step` steps and remove all but the newest checkpoints."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.pt"
    with atomic_path(path) as temporary:
        torch.save(state, temporary)
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
    check_archive(found[-1])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's, of damaged files
            state: dict[str, Any] = torch.load(found[-1], map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from RuntimeError to UnpicklingError for a damaged file
        raise UserError(
            f"checkpoint {found[-1]} cannot be read ({type(error).__name__}): remove it and resume"
        ) from error
    return state


def check_parts(found: Mapping[Any, Any], expected: Mapping[Any, Any], where: str) -> None:
    """Raise UserError where a checkpoint lacks one of the expected parts, or holds others."""
    for parts, problem in ((expected.keys() - found.keys(), "lacks"), (found.keys() - expected.keys(), "also holds")):
        if parts:
            first = f"{where}{min(map(str, parts))}"
            raise UserError(f"the checkpoint cannot be resumed: it {problem} {first} ({len(parts)} parts in all)")


def check_settings(stored: dict[str, Any], now: dict[str, Any], changes: bool) -> None:
    """Raise UserError, naming them, where settings of a run and those to resume it with differ; with `changes` the
    harmless ones may."""
    before, after = dict(_flat(stored)), dict(_flat(now))
    differing = [name for name in before | after if before.get(name) != after.get(name) and name != "output"]
    refused = [name for name in differing if not (changes and name in HARMLESS)]
    if not refused:
        return
    listed = ", ".join(f"{name} is {after.get(name)!r}, was {before.get(name)!r}" for name in refused)
    advice = "resume it as it was, or choose another output"
    if set(refused) <= set(HARMLESS):
        advice = "`signgen train --resume --allow-changes` goes on so"
    raise UserError(f"the run was begun with other settings: {listed}; {advice}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
