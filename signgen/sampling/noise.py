"""The noise of a video follows from one seed: all frames share the initial noise, and each frame has its own
generator."""

from collections.abc import Iterable

import torch
from torch import Tensor


def frame_generator(seed: int, index: int) -> torch.Generator:
    """The generator of frame `index`: the same whatever batch or process renders the frame."""
    # An odd 64-bit multiplier keeps neighbouring seeds apart by more than any frame number.
    return torch.Generator().manual_seed((seed * 0x9E3779B97F4A7C15 + index + 1) % 2**63)


def frame_noise(shape: tuple[int, ...], seed: int, indices: Iterable[int]) -> tuple[Tensor, list[torch.Generator]]:
    """Initial noise (1, *shape), shared by all frames of the video, and the generators of the frames `indices`.

    Frames that start from one noise differ by their poses alone; fresh noise per frame, as published, flickers.
    """
    initial = torch.randn((1, *shape), generator=torch.Generator().manual_seed(seed))
    return initial, [frame_generator(seed, index) for index in indices]
