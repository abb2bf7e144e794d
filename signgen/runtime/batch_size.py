"""Chooses how many frames are rendered at a time."""

from collections.abc import Iterator
from itertools import repeat
from typing import Protocol

import torch

BATCH_SIZE = 8
"""Where memory is not measured, as on CPUs: there a frame alone takes 1.3 to 1.6 times as long, and 16 gain no more."""
LARGEST = 64  # keeps a GPU busy with the smallest of models
SHARE = 0.8  # of what is free: allocators leave gaps, and other programs want some too


class Memory(Protocol):
    """A device's memory, in bytes."""

    def free(self) -> int:
        """What tensors can still take."""

    def begin(self) -> None:
        """From here on `taken` counts."""

    def taken(self) -> int:
        """The most that tensors have taken at a time, beyond what they had at the beginning."""


class CUDAMemory:
    """A CUDA device's memory. Memory that torch keeps for later tensors counts as free."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def free(self) -> int:
        kept = torch.cuda.memory_reserved(self.device) - torch.cuda.memory_allocated(self.device)
        return torch.cuda.mem_get_info(self.device)[0] + kept

    def begin(self) -> None:
        torch.cuda.reset_peak_memory_stats(self.device)
        self.before = torch.cuda.memory_allocated(self.device)

    def taken(self) -> int:
        return torch.cuda.max_memory_allocated(self.device) - self.before


def device_memory(device: torch.device) -> Memory | None:
    """The device's memory, or None where it is not measured."""
    return CUDAMemory(device) if device.type == "cuda" else None


def batch_sizes(memory: Memory | None) -> Iterator[int]:
    """The sizes of the batches. Each batch must be rendered before the next size is taken.

    Where memory can be measured, the first batch is a single frame, and the memory that it took says how many frames
    fit into the other batches. So nothing has to be known about the networks, and no frame is rendered twice.
    """
    if memory is None:
        yield from repeat(BATCH_SIZE)
    else:
        memory.begin()
        yield 1
        fitting = int(SHARE * memory.free() / max(memory.taken(), 1))
        yield from repeat(max(1, min(LARGEST, fitting)))
