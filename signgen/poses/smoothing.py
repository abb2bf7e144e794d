"""Smooths poses: fills gaps, and applies One-Euro and Savitzky-Golay filters, which leave missing points out."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from signgen.errors import UserError
from signgen.poses.drawing import MIN_SCORE
from signgen.poses.sequence import PoseSequence


def fill_gaps(poses: PoseSequence, max_seconds: float = 0.2, min_score: float = MIN_SCORE) -> PoseSequence:
    """Interpolate points that score below `min_score` for at most `max_seconds` between two good frames.

    A filled point gets the lower score of the two frames. Longer gaps, and those at the ends, stay as they are.
    """
    keypoints = poses.keypoints.copy()
    good = poses.scores >= min_score
    longest = int(max_seconds * poses.fps + 1e-6)
    for point in range(keypoints.shape[1]):
        for start, stop in _runs(~good[:, point]):
            if start > 0 and stop < len(poses) and stop - start <= longest:
                before, after = keypoints[start - 1, point], keypoints[stop, point]
                weight = np.arange(1, stop - start + 1)[:, None] / (stop - start + 1)
                keypoints[start:stop, point] = before + weight * (after - before)
                keypoints[start:stop, point, 2] = min(before[2], after[2])
    return replace(poses, keypoints=keypoints)


def hold_body(poses: PoseSequence, body: np.ndarray) -> PoseSequence:
    """Frames without a body get one: interpolated over short gaps as `fill_gaps` does, else the nearest earlier one.

    body: bool (F,), the frames that have one. What such a frame has, a hand, say, stays. The frames before the first
    body get that one.
    """
    last = np.maximum.accumulate(np.where(body, np.arange(len(poses)), -1))
    held = poses.keypoints[np.where(last < 0, body.argmax(), last)]
    filled = fill_gaps(poses).keypoints
    added = np.where(filled[..., 2:] >= MIN_SCORE, filled, held)
    keypoints = np.where((body[:, None] | (poses.scores >= MIN_SCORE))[..., None], poses.keypoints, added)
    return replace(poses, keypoints=keypoints)


def one_euro(poses: PoseSequence, min_cutoff: float = 2.0, beta: float = 20.0) -> PoseSequence:
    """The One-Euro filter (Casiez, Roussel & Vogel 2012): steadies still points and lets fast hands through.

    It runs forward and backward in time and takes the mean, so that movements do not lag. A missing point ends its
    run; the next starts anew.

    Args:
        min_cutoff: cut-off frequency of a still point, in Hz; lower is steadier.
        beta: how much the cut-off rises with speed, in Hz per image height a second.
    """
    if not (min_cutoff > 0 and beta >= 0):
        raise UserError(f"min_cutoff {min_cutoff} must be more than 0 and beta {beta} at least 0")
    position = poses.positions / poses.size[1]
    forward = _one_euro(position, poses.present, poses.fps, min_cutoff, beta)
    backward = _one_euro(position[::-1], poses.present[::-1], poses.fps, min_cutoff, beta)[::-1]
    return _moved(poses, (forward + backward) / 2 * poses.size[1])


def savitzky_golay(poses: PoseSequence, seconds: float = 0.28, order: int = 2) -> PoseSequence:
    """Local polynomials of degree `order` over windows of `seconds` (Savitzky & Golay 1964).

    Each run of frames that have a point is fitted by itself, a short one over a shorter window; one of no more than
    `order` + 1 frames is left alone.
    """
    from scipy.signal import savgol_filter  # half a second to import

    window = round(seconds * poses.fps) // 2 * 2 + 1
    if not 0 <= order < window:
        raise UserError(f"a window of {window} frames cannot hold a polynomial of degree {order}: give a longer one")
    positions = poses.positions.astype(np.float64)
    for point in range(positions.shape[1]):
        for start, stop in _runs(poses.present[:, point]):
            length = min(window, (stop - start - 1) // 2 * 2 + 1)
            if length > order + 1:
                run = positions[start:stop, point]
                positions[start:stop, point] = savgol_filter(run, length, order, axis=0)
    return _moved(poses, positions)


SMOOTHERS: dict[str, Callable[[PoseSequence], PoseSequence]] = {
    "one-euro": one_euro,
    "savitzky-golay": savitzky_golay,
}


def _one_euro(position: np.ndarray, present: np.ndarray, fps: float, min_cutoff: float, beta: float) -> np.ndarray:
    filtered = position.astype(np.float64)
    speed = np.zeros_like(filtered[0])
    for frame in range(1, len(position)):
        known = (present[frame] & present[frame - 1])[:, None]
        change = (position[frame] - filtered[frame - 1]) * fps
        speed = np.where(known, speed + _weight(1.0, fps) * (change - speed), 0)
        cutoff = min_cutoff + beta * np.linalg.norm(speed, axis=1, keepdims=True)
        step = _weight(cutoff, fps) * (position[frame] - filtered[frame - 1])
        filtered[frame] = np.where(known, filtered[frame - 1] + step, position[frame])
    return filtered


def _weight(cutoff: np.ndarray | float, fps: float) -> np.ndarray | float:
    """How much of the new value a first-order low-pass filter takes over (equation 4 of the paper)."""
    ratio = 2 * np.pi * cutoff / fps
    return ratio / (ratio + 1)


def _moved(poses: PoseSequence, positions: np.ndarray) -> PoseSequence:
    """Present points at new positions, the others where they were."""
    keypoints = poses.keypoints.copy()
    keypoints[..., :2] = np.where(poses.present[..., None], positions, poses.positions)
    return replace(poses, keypoints=keypoints)


def _runs(mask: np.ndarray) -> Iterator[tuple[int, int]]:
    """Start and stop of each stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
