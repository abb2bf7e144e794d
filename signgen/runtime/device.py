"""Devices: found by name, their fastest precision, and how much of their memory is in use."""

import resource
import sys

import torch

from signgen.errors import UserError
from signgen.runtime.device_name import check_device

# What trainings compute in; in fp16 gradients overflow, and steps would be skipped that a run counts.
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def usable_device(name: str) -> torch.device:
    """The device of that name; "auto" is a CUDA device, or else the processor. UserError where it is not there."""
    check_device(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"device {name!r} cannot be used here: {reason}") from error
    return torch.device(name)


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device has instructions for it, else float32.

    The instructions decide, not a measurement: on a busy machine, a measurement could give two videos for one seed.
    """
    if device.type == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        cpu = device.type == "cpu"
        has = cpu and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.bfloat16 if has else torch.float32


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(device: torch.device) -> int:
    """The most bytes in use so far: of the device's tensors on CUDA, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def full_precision(device: torch.device) -> torch.autocast:
    """A context in which autocast, if it is on, is off."""
    # The meta device, on which trainings are estimated, knows no autocast.
    return torch.autocast("cpu" if device.type == "meta" else device.type, enabled=False)
