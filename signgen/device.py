"""Devices by name."""

import torch

from signgen.errors import UserError


def usable_device(name: str) -> torch.device:
    """The device of that name; "auto" is a CUDA device, or else the processor. UserError where it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"device {name!r} cannot be used here: {reason}") from error
    return torch.device(name)


def full_precision(device: torch.device) -> torch.autocast:
    """A context in which autocast, if it is on, is off."""
    # The meta device, on which trainings are estimated, knows no autocast.
    return torch.autocast("cpu" if device.type == "meta" else device.type, enabled=False)
