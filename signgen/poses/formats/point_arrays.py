"""Arrays of keypoints, whatever their axes and whether they have scores, as those of several people a frame."""

from collections.abc import Sequence

import numpy as np

from signgen.errors import UserError, warn

# Some estimators' scores are peaks of heat maps or logits, up to about ten; larger numbers are something else.
LARGEST_SCORE = 100.0
# More people than these in a single frame are the frames of one person: some tools write people first.
CROWD = 10


def padded(frames: Sequence[Sequence[np.ndarray]], count: int = 133) -> np.ndarray:
    """The (K, 3) points of each person of each frame as (F, N, K, 3), zeros where a frame has fewer people.

    count: K, where nobody is in any frame. UserError where people have different numbers of points.
    """
    counts = sorted({len(person) for frame in frames for person in frame})
    if len(counts) > 1:
        raise UserError(f"people have different numbers of points: {counts}")
    points = np.zeros((len(frames), max([1, *map(len, frames)]), counts[0] if counts else count, 3))
    for number, frame in enumerate(frames):
        for place, person in enumerate(frame):
            points[number, place] = person
    return points


@np.errstate(invalid="ignore", over="ignore")  # what is no number is missing: `cleaned`
def as_points(array: np.ndarray, scores: np.ndarray | None = None) -> np.ndarray:
    """Any array of keypoints as float (F, N, K, 3): one frame, one person and absent scores are completed.

    array: (F, N, K, 2 or 3), (1, F, K, 2 or 3), (F, K, 2 or 3) or (K, 2 or 3). scores: of the same points, in place of
    a third number. UserError for anything else.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise UserError("keypoints must be an array of numbers")
    shape = array.shape
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim == 4 and array.shape[0] == 1 and array.shape[1] > CROWD:
        array = array.swapaxes(0, 1)
    if array.ndim != 4 or array.shape[-1] not in (2, 3) or not array.size:
        raise UserError(f"keypoints of shape {shape}: it must be (frames, points, 3) or (frames, people, points, 3)")
    array = array.astype(np.float64)
    if scores is not None:
        return _with_scores(array, scores, shape)
    if array.shape[-1] == 3 and _is_depth(array[..., 2]):
        warn("the third number of the points is a depth, not a score")
        array = array[..., :2]
    if array.shape[-1] == 2:
        array = np.concatenate([array, _there(array)[..., None]], -1)
    return array


def _with_scores(array: np.ndarray, scores: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if (
        not isinstance(scores, np.ndarray)
        or scores.dtype.kind not in "fiu"
        or scores.size * array.shape[-1] != array.size
    ):
        raise UserError(f"scores of shape {np.shape(scores)} do not belong to keypoints of shape {shape}")
    scores = scores.reshape(array.shape[:-1]).astype(np.float64)
    return np.concatenate([array[..., :2], scores[..., None]], -1)


def _is_depth(third: np.ndarray) -> bool:
    """Scores are not negative, but for one number that marks missing points, and not as large as distances."""
    known = third[np.isfinite(third)]
    return len(np.unique(known[known < 0])) > 1 or bool(known.size and known.max() > LARGEST_SCORE)


def _there(positions: np.ndarray) -> np.ndarray:
    """bool (...,): points without a score that are not marked as missing, by 0, 0 or -1, -1."""
    return (positions != 0).any(-1) & (positions != -1).any(-1)
