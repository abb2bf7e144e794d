"""HRNet key points of a whole corpus in one pickle, unpickled once however many clips are read from it.

MSKA's files hold name -> {"keypoint": tensor (T, 133, 3), ...}, TwoStream's name -> {"keypoints": array
(T, 133 or more, 3)}, in pixels of the frames. Names are `<clip>` or `<split>/<clip>`.
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses import PoseSequence
from signgen.poses.skeletons import COCO_WHOLEBODY, POINT_COUNT
from signgen.safe_pickle import load_pickle

PICKLE_START = b"\x80"  # the protocol's opcode, which all pickles of protocol 2 and later begin with
_one_at_a_time = Lock()


def is_pickle(path: Path) -> bool:
    """Whether the file begins like a pickle."""
    try:
        with path.open("rb") as file:
            return file.read(1) == PICKLE_START
    except OSError:
        return False


def read_archived_poses(path: Path, name: str, size: tuple[int, int], fps: float) -> PoseSequence:
    """The poses of one clip of a pickle, in pixels of pictures of `size` (width, height).

    Raises UserError if the pickle is refused, or has no such clip, or something else in its place.
    """
    with _one_at_a_time:  # else each of many threads would unpickle the file for itself
        archive = _archive(path)
    entry = archive.get(name, archive.get(name.rsplit("/", 1)[-1]))
    if entry is None:
        raise UserError(f"{path}: no key points for {name}")
    try:
        return PoseSequence.from_raw(_keypoints(entry), size, fps, COCO_WHOLEBODY)
    except UserError as error:
        raise UserError(f"{path}: {name}: {error}") from error


def forget_archives() -> None:
    """Lets go of the memory of the last pickle read."""
    _archive.cache_clear()


@lru_cache(maxsize=1)
def _archive(path: Path) -> Mapping[str, Any]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot read these key points ({error})") from error
    archive = load_pickle(content, path)
    if not isinstance(archive, dict):
        raise UserError(f"{path}: holds a {type(archive).__name__}, not the key points of clips by name")
    return archive


def _keypoints(entry: Any) -> np.ndarray:
    """(T, 133, 3) of one entry; further points, as TwoStream has them, are left."""
    found = entry.get("keypoint", entry.get("keypoints")) if isinstance(entry, dict) else entry
    keypoints = np.asarray(found)
    points = POINT_COUNT[COCO_WHOLEBODY]
    if (
        keypoints.ndim != 3
        or keypoints.shape[1] < points
        or keypoints.shape[2] != 3
        or keypoints.dtype.kind not in "fiu"
    ):
        raise UserError(f"key points of shape {keypoints.shape}; expected (frames, {points} or more, 3)")
    return keypoints[:, :points]
