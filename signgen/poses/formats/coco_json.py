"""COCO-WholeBody annotations, and the JSON of mmpose's and DWPose's inference."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses.formats.openpose_json import numbers
from signgen.poses.formats.raw import RawPoses, Sequences, as_points, largest_person

# The parts of an annotation in the order of the 133 points, their number of points and the flag of their
# validity.
PARTS = (
    ("keypoints", 17, None),
    ("foot_kpts", 6, "foot_valid"),
    ("face_kpts", 68, "face_valid"),
    ("lefthand_kpts", 21, "lefthand_valid"),
    ("righthand_kpts", 21, "righthand_valid"),
)


def coco_sequences(data: dict[str, Any]) -> Sequences:
    """COCO annotations: each picture by its file name; all as one sequence where they have the same size."""
    try:
        pictures = {picture["id"]: picture for picture in data["images"]}
        sizes = {i: (int(p["width"]), int(p["height"])) for i, p in pictures.items()}
        people: dict[Any, list[np.ndarray]] = {i: [] for i in pictures}
        for annotation in data["annotations"]:
            people[annotation["image_id"]].append(_annotation(annotation))
        names = {i: str(picture["file_name"]) for i, picture in pictures.items()}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"broken COCO annotations ({type(error).__name__}: {error})") from error
    if not pictures:
        raise UserError("it has no pictures")
    points = {i: _largest(found, 133) for i, found in people.items()}
    sequences = {names[i]: partial(_coco_poses, points[i][None], sizes[i]) for i in pictures}
    if len(set(sizes.values())) == 1:
        sequences[""] = partial(_coco_poses, np.stack(list(points.values())), next(iter(sizes.values())))
    return sequences


def is_mmpose(data: Any) -> bool:
    """Whether a JSON value is mmpose's inference of frames, or of one frame."""
    return isinstance(data, dict) and ("instance_info" in data or "instances" in data or _is_instance(data))


def mmpose_poses(data: Any) -> RawPoses:
    """mmpose's inference: `instance_info`, a list of frames of `instances`, or the instances of one frame."""
    frames = data["instance_info"] if isinstance(data, dict) and "instance_info" in data else data
    frames = frames if isinstance(frames, list) else [frames]
    if all(_is_instance(entry) for entry in frames):
        frames = [{"instances": frames}]
    people = [_instances(frame, f"frame {number}") for number, frame in enumerate(frames)]
    counts = {len(person) for found in people for person in found} or {133}
    if len(counts) > 1:
        raise UserError(f"people have different numbers of points: {sorted(counts)}")
    (count,) = counts
    return RawPoses.by_count("mmpose JSON", np.stack([_largest(found, count) for found in people]))


def _is_instance(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("keypoints"), list)


def _instances(frame: Any, where: str) -> list[np.ndarray]:
    """The (K, 3) points of each person of a frame."""
    instances = frame.get("instances") if isinstance(frame, dict) else None
    if not isinstance(instances, list) or not all(_is_instance(entry) for entry in instances):
        raise UserError(f"{where} has no list of instances with key points")
    return [_instance(entry, where) for entry in instances]


def _instance(entry: dict[str, Any], where: str) -> np.ndarray:
    try:
        positions = np.array(entry["keypoints"], np.float64)
        scores = np.array(entry["keypoint_scores"], np.float64)
        return np.concatenate([positions, scores[:, None]], 1).reshape(-1, 3)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise UserError(f"{where}: key points must be rows of x, y with a score each") from error


def _annotation(annotation: dict[str, Any]) -> np.ndarray:
    """(133, 3): the points of one person; visible and hidden ones (v = 1, 2) have score 1."""
    parts = []
    for key, count, flag in PARTS:
        values = numbers(annotation.get(key) or [0] * (3 * count), key)
        if len(values) != 3 * count:
            raise UserError(f"{key} has {len(values)} numbers, not {3 * count}")
        valid = flag is None or annotation.get(flag, True)
        parts.append(np.reshape(values, (-1, 3)) * bool(valid))
    return np.concatenate(parts)


def _largest(people: Sequence[np.ndarray], count: int) -> np.ndarray:
    return people[largest_person(people)] if people else np.zeros((count, 3))


def _coco_poses(points: np.ndarray, size: tuple[int, int]) -> RawPoses:
    return RawPoses.by_count("COCO-WholeBody JSON", as_points(points), size)
