"""COCO-WholeBody annotations: images with the people in them."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses.formats.openpose_json import numbers
from signgen.poses.formats.point_arrays import as_points
from signgen.poses.formats.raw import RawPoses, Sequences
from signgen.poses.people import largest_person

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
    """COCO annotations: each image by its file name; all as one sequence where they have the same size."""
    try:
        images = {image["id"]: image for image in data["images"]}
        sizes = {i: (int(p["width"]), int(p["height"])) for i, p in images.items()}
        people: dict[Any, list[np.ndarray]] = {i: [] for i in images}
        for annotation in data["annotations"]:
            people[annotation["image_id"]].append(annotated_points(annotation))
        names = {i: str(image["file_name"]) for i, image in images.items()}
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise UserError(f"broken COCO annotations ({type(error).__name__}: {error})") from error
    if not images:
        raise UserError("it has no images")
    points = {i: _largest(found, 133) for i, found in people.items()}
    sequences = {names[i]: partial(_coco_poses, points[i][None], sizes[i]) for i in images}
    if len(set(sizes.values())) == 1:
        sequences[""] = partial(_coco_poses, np.stack(list(points.values())), next(iter(sizes.values())))
    return sequences


def annotated_points(annotation: dict[str, Any]) -> np.ndarray:
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
