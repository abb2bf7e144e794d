"""What the numbers of a pose file are: pixels, or parts of something else that have to be brought to pixels."""

from collections.abc import Sequence

import numpy as np

from signgen.errors import warn

PIXELS, UNIT, CENTRED, SHOULDERS = "pixels", "0..1", "-1..1", "shoulders"
# A signer is taller than this in pixels, and lower in parts of the image or in shoulder widths, legs included.
LARGEST_PART = 4.5
# Of poses in -1..1, the points left of the middle or above it are negative; in 0..1, those outside the image.
NEGATIVE_SHARE = 0.1
# pose-format's `normalize` puts the mean middle of the shoulders at 0, 0 and their mean distance, in space, to 1.
SHOULDER_MIDDLE, SHOULDER_WIDTH = 0.01, (0.6, 1.05)
# Where a body that is known in shoulder widths alone is put: parts of the image's shorter side, width and height.
PLACED_WIDTH, PLACED_MIDDLE = 0.35, (0.5, 0.5)


def coordinates(points: np.ndarray, names: Sequence[str]) -> str:
    """What x and y of (..., K, 3) points called `names` are: PIXELS, UNIT (parts of width and height), CENTRED (the
    same, 0 in the middle) or SHOULDERS (shoulder widths from the middle of the shoulders)."""
    there = points[points[..., 2] > 0][:, :2]
    if (there == np.rint(there)).all() or np.quantile(np.abs(there).max(1), 0.95) > LARGEST_PART:
        return PIXELS
    if _spans_shoulders(points, names):
        return SHOULDERS
    return CENTRED if (there < -0.02).any(1).mean() > NEGATIVE_SHARE else UNIT


def to_pixels(points: np.ndarray, kind: str, size: tuple[int, int]) -> np.ndarray:
    """(..., 3) points of a `kind` in pixels of an image of `size` (width, height); a warning says what was done."""
    if kind == PIXELS:
        return points
    scale, shift, what = np.array(size, float), np.zeros(2), f"scaled to {size[0]}x{size[1]}"
    if kind == CENTRED:
        scale, shift = scale / 2, scale / 2
    if kind == SHOULDERS:
        scale, shift = np.full(2, PLACED_WIDTH * min(size)), scale * PLACED_MIDDLE
        what = f"put in the middle of {size[0]}x{size[1]}: --align fits them to the signer"
    warn(f"the coordinates are normalised ({kind}), not pixels; {what}")
    there = points[..., 2:] > 0
    return np.concatenate([np.where(there, points[..., :2] * scale + shift, 0), points[..., 2:]], -1)


def _spans_shoulders(points: np.ndarray, names: Sequence[str]) -> bool:
    lower = [name.lower() for name in names]
    if not {"left_shoulder", "right_shoulder"} <= set(lower):
        return False
    left, right = (points[..., lower.index(f"{side}_shoulder"), :] for side in ("left", "right"))
    both = (left[..., 2] > 0) & (right[..., 2] > 0)
    if not both.any():
        return False
    left, right = left[both, :2], right[both, :2]
    width = np.linalg.norm(left - right, axis=1).mean()
    off = np.abs((left + right).mean(0) / 2).max()
    return bool(off < SHOULDER_MIDDLE and SHOULDER_WIDTH[0] < width < SHOULDER_WIDTH[1])
