"""How a video's frames are turned to stand upright: by the display matrix that cameras and editors write.

A matrix may mirror as well as turn, as that of a front camera does; FFmpeg's angle alone cannot tell.
"""

import struct
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type

# (a, b, c, d): a stored pixel at x, y is shown at a x + c y, b x + d y, but for a shift.
Matrix = tuple[int, int, int, int]
UPRIGHT: Matrix = (1, 0, 0, 1)
_TURNS: dict[int, Matrix] = {0: UPRIGHT, 90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), 270: (0, 1, -1, 0)}
# How far off its axis a matrix may be that is meant as a quarter turn, in parts of one.
TOLERANCE = 1e-3


def display_matrix(frame: Any) -> Matrix | None:
    """The signs of a frame's display matrix; None where it is no multiple of a quarter turn, mirrored or not."""
    try:
        data = frame.side_data.get(Type.DISPLAYMATRIX)
    except ValueError:  # PyAV does not know all kinds of data that FFmpeg puts beside a frame
        return _TURNS.get(frame.rotation % 360)
    if data is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    if max(abs(b), abs(c)) <= TOLERANCE * min(abs(a), abs(d)):
        return _sign(a), 0, 0, _sign(d)
    if max(abs(a), abs(d)) <= TOLERANCE * min(abs(b), abs(c)):
        return 0, _sign(b), _sign(c), 0
    return None


def upright(image: np.ndarray, matrix: Matrix) -> np.ndarray:
    """A stored image (H, W, 3) as the matrix shows it."""
    a, b, c, d = matrix
    if b:
        image = image.swapaxes(0, 1)
    across, down = a + c, b + d  # the one of each that is not 0
    return np.ascontiguousarray(image[::down, ::across])


def _sign(number: int) -> int:
    return 1 if number > 0 else -1
