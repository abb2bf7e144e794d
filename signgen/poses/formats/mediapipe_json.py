"""MediaPipe Holistic's landmarks as JSON, as people write them in Python and in JavaScript."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses.formats.raw import RawPoses
from signgen.poses.frame_numbers import with_gaps
from signgen.poses.point_layouts import LAYOUT_OF_COUNT

# Of each part its names in both languages and its number of points; the face mesh may have 10 more, of the irises.
PARTS = (
    (("pose_landmarks", "poseLandmarks"), 33),
    (("face_landmarks", "faceLandmarks"), 468),
    (("left_hand_landmarks", "leftHandLandmarks"), 21),
    (("right_hand_landmarks", "rightHandLandmarks"), 21),
)


def is_mediapipe(frame: Any) -> bool:
    """Whether a JSON value has landmarks of one frame."""
    return isinstance(frame, Mapping) and any(key in frame for keys, _ in PARTS for key in keys)


def mediapipe_poses(frames: Sequence[Mapping[str, Any]], numbers: Sequence[int] | None = None) -> RawPoses:
    """The person of each frame; coordinates are parts of the image. numbers: of the frames, where they are known.

    UserError where a landmark has no x and y, or a part another number of points.
    """
    if numbers is None and all(type(frame.get("frame")) is int for frame in frames):
        numbers = [frame["frame"] for frame in frames]
    points = np.stack([_points(frame, f"frame {number}") for number, frame in enumerate(frames)])
    layout, names, point_map = LAYOUT_OF_COUNT[points.shape[1]]
    return RawPoses("MediaPipe JSON", layout, with_gaps(points[:, None], numbers), names, point_map)


def _points(frame: Mapping[str, Any], where: str) -> np.ndarray:
    """(543, 3): what a frame lacks is missing."""
    parts = []
    for keys, count in PARTS:
        landmarks = next((frame[key] for key in keys if frame.get(key)), None)
        part = np.zeros((count, 3)) if landmarks is None else _landmarks(landmarks, f"{where}, {keys[0]}")
        if len(part) < count:
            raise UserError(f"{where}: {keys[0]} has {len(part)} points, not {count}")
        parts.append(part[:count])
    return np.concatenate(parts)


def _landmarks(landmarks: Any, where: str) -> np.ndarray:
    """(K, 3) x, y and the visibility, which only the body has: hands and face are found as a whole."""
    landmarks = landmarks.get("landmark", landmarks) if isinstance(landmarks, Mapping) else landmarks
    try:
        rows = [(point["x"], point["y"], _score(point, where)) for point in landmarks]
        return np.array(rows, np.float64)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{where}: landmarks must have x and y") from error


def _score(point: Mapping[str, Any], where: str) -> float:
    visibility = point.get("visibility") if "pose" in where else None
    return 1.0 if visibility is None else float(visibility)
