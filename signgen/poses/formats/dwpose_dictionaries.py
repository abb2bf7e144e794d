"""DWPose's own dictionaries, of its annotator and of the programs around it: body, hands and faces of a frame.

`bodies` holds the points of all people and, person by person, which of them are whose; `hands` the left hands of all
people, then the right ones. Coordinates are parts of the image, -1 where a point is not seen (Yang et al. 2023).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses.formats.point_arrays import padded
from signgen.poses.formats.raw import RawPoses
from signgen.poses.frame_numbers import with_gaps
from signgen.poses.point_layouts import FACE_70, IDENTITY_133, LEFT_HAND_NAMES, RIGHT_HAND_NAMES
from signgen.poses.skeletons import NAMES_18

NAMES = [*NAMES_18, *FACE_70[:68], *LEFT_HAND_NAMES, *RIGHT_HAND_NAMES]


def is_dwpose(frame: Any) -> bool:
    """Whether a value is the dictionary of one frame."""
    return isinstance(frame, Mapping) and isinstance(frame.get("bodies"), Mapping) and "candidate" in frame["bodies"]


def dwpose_poses(frames: Sequence[Mapping[str, Any]], numbers: Sequence[int] | None = None) -> RawPoses:
    """The people of each frame. numbers: of the frames, where they are known. UserError where a frame is broken."""
    people = [_people(frame, f"frame {number}") for number, frame in enumerate(frames)]
    points = with_gaps(padded(people, len(NAMES)), numbers)
    return RawPoses("DWPose dictionaries", "DWPose 128", points, NAMES, IDENTITY_133)


def _people(frame: Mapping[str, Any], where: str) -> list[np.ndarray]:
    try:
        bodies = frame["bodies"]
        rows = np.atleast_2d(np.asarray(bodies["subset"], np.float64))[:, :18]
        count = len(rows)
        body = np.stack([_body(np.asarray(bodies["candidate"], np.float64), row) for row in rows])
        hands = _scored(frame.get("hands"), frame.get("hands_score"), (2, count, 21)).swapaxes(0, 1)
        faces = _scored(frame.get("faces"), frame.get("faces_score"), (count, 68))
        if "score" in bodies and np.shape(bodies["score"])[:1] == (count,):
            body[..., 2] *= np.asarray(bodies["score"], np.float64)[:, :18].clip(0, 1)
        return list(np.concatenate([body, faces, hands[:, 0], hands[:, 1]], 1))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{where}: bodies, hands and faces are not as DWPose writes them") from error


def _body(candidate: np.ndarray, row: np.ndarray) -> np.ndarray:
    """(18, 3): the points that a person's row of `subset` names, -1 for none."""
    points = np.zeros((18, 3))
    seen = np.flatnonzero(row >= 0)
    points[seen, :2] = candidate[row[seen].astype(int), :2]
    points[seen, 2] = (points[seen, :2] >= 0).all(1)
    return points


def _scored(positions: Any, scores: Any, shape: tuple[int, ...]) -> np.ndarray:
    """`shape` + (3,): positions with their scores, 1 without, 0 for what is missing."""
    if positions is None or not np.size(positions):
        return np.zeros((*shape, 3))
    points = np.asarray(positions, np.float64)[..., :2].reshape(*shape, 2)
    score = np.ones(shape) if scores is None else np.asarray(scores, np.float64).reshape(shape)
    return np.concatenate([points, (score * (points >= 0).all(-1))[..., None]], -1)
