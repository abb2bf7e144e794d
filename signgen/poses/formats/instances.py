"""People as dictionaries of keypoints: results of mmpose, AlphaPose and COCO's evaluation, in JSON or a pickle."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses.formats.coco_json import PARTS, annotated_points
from signgen.poses.formats.point_arrays import padded
from signgen.poses.formats.raw import RawPoses
from signgen.poses.frame_numbers import numbers_in, with_gaps

SCORE_KEYS = ("keypoint_scores", "scores", "keypoint_score", "keypoints_score", "confidences")


def is_instances(data: Any) -> bool:
    """Whether a value is a result with people: of a clip, or of one frame, which may be an empty list."""
    if isinstance(data, Mapping):
        return _is_frame(data)
    return isinstance(data, list) and all(map(_is_frame, data))


def instance_poses(frames: list[Any], numbers: list[int] | None = None) -> RawPoses:
    """The people of a clip.

    frames: of mmpose, each with `instances` or a list of people, or the people of one frame; or people with the
    `image_id` of their frame, of AlphaPose and COCO's results. numbers: of the frames, where they are known. UserError
    for anything else.
    """
    format = "mmpose JSON"
    if frames and all(map(_is_person, frames)):
        if all("image_id" in person for person in frames):
            format, (frames, numbers) = "AlphaPose or COCO results", _by_image(frames)
        else:
            frames = [frames]
    if numbers is None and all(isinstance(frame, Mapping) and type(frame.get("frame_id")) is int for frame in frames):
        numbers = [frame["frame_id"] for frame in frames]
    people = [_people(frame, f"frame {number}") for number, frame in enumerate(frames)]
    if not any(people):
        raise UserError(f"nobody is in any of its {len(frames)} frames" if frames else "it has no frames")
    return RawPoses.by_count(format, with_gaps(padded(people), numbers))


def _is_frame(entry: Any) -> bool:
    if isinstance(entry, list):
        return all(map(_is_person, entry))
    return _is_person(entry) or (isinstance(entry, Mapping) and "instances" in entry)


def _is_person(entry: Any) -> bool:
    return isinstance(entry, Mapping) and isinstance(entry.get("keypoints"), list | np.ndarray)


def _by_image(people: list[Any]) -> tuple[list[list[Any]], list[int] | None]:
    """People by the image they are in, and the images' numbers, where these are in their names."""
    images: dict[str, list[Any]] = {}
    for person in people:
        images.setdefault(str(person["image_id"]), []).append(person)
    numbers = numbers_in(list(images)) if len(images) > 1 else None
    if numbers is None:
        return list(images.values()), None
    order = np.argsort(numbers, kind="stable")
    return [list(images.values())[i] for i in order], [numbers[i] for i in order]


def _people(frame: Any, where: str) -> list[np.ndarray]:
    """The (K, 3) points of each person of a frame."""
    people = frame.get("instances") if isinstance(frame, Mapping) and not _is_person(frame) else frame
    people = [people] if _is_person(people) else people
    if not isinstance(people, list) or not all(map(_is_person, people)):
        raise UserError(f"{where} has no list of instances with keypoints")
    return [_points(person, where) for person in people]


def _points(person: Mapping[str, Any], where: str) -> np.ndarray:
    if any(key in person for key, _, flag in PARTS if flag):
        return annotated_points(dict(person))
    scores = next((person[key] for key in SCORE_KEYS if key in person), None)
    try:
        points = np.array(person["keypoints"], np.float64)
        if scores is None:
            return points.reshape(-1, 3) if points.ndim == 1 or points.shape[-1] == 3 else _without_score(where)
        return np.concatenate([points[:, :2], np.array(scores, np.float64).reshape(-1, 1)], 1)
    except (TypeError, ValueError, IndexError, OverflowError):
        return _without_score(where)


def _without_score(where: str) -> np.ndarray:
    raise UserError(f"{where}: keypoints must be rows of x, y with a score each")
