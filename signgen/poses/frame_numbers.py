"""Frames that are numbered: those that the numbers leave out are missing, not shifted."""

import re
from collections.abc import Sequence
from functools import reduce
from math import gcd

import numpy as np

from signgen.errors import warn

# Numbers that leave out more than this for each frame that is there are times or names, not numbers of frames.
SPARSEST = 10


def numbers_in(names: Sequence[str]) -> list[int] | None:
    """The frame number in each file name: the last of the numbers that differ, the rest of the names being equal.

    None where there is no such number, so that the order of the names is all there is.
    """
    parts = [re.split(r"(\d+)", name) for name in names]
    if len({tuple(part[::2]) for part in parts}) != 1:
        return None
    columns = list(zip(*(map(int, part[1::2]) for part in parts), strict=True))
    return next((list(column) for column in reversed(columns) if len(set(column)) == len(names)), None)


def with_gaps(points: np.ndarray, numbers: Sequence[int] | None) -> np.ndarray:
    """(F, N, K, 3) points of frames with these ascending numbers -> all frames, the missing ones without points.

    Numbers in steps of two, say, leave nothing out. A warning counts what is missing.
    """
    steps = np.diff(numbers).tolist() if numbers is not None else []
    if numbers is None or not steps or min(steps) < 1:
        return points
    step = reduce(gcd, steps)
    places = (np.array(numbers) - numbers[0]) // step
    count = int(places[-1]) + 1
    if count == len(points):
        return points
    if count > SPARSEST * len(points):
        warn(
            f"the numbers of the frames, {numbers[0]} to {numbers[-1]}, leave out more than they name: the "
            f"{len(points)} frames are taken one after the other"
        )
        return points
    missing = np.setdiff1d(np.arange(count), places) * step + numbers[0]
    shown = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
    warn(f"{len(missing)} of {count} frames are missing (number {shown}): they have no points")
    full = np.zeros((count, *points.shape[1:]), points.dtype)
    full[places] = points
    return full
