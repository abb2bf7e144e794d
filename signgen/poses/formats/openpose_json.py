"""OpenPose's JSON, one file a frame, and similar files of DWPose and ControlNet."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses.formats.point_arrays import padded
from signgen.poses.formats.raw import RawPoses
from signgen.poses.frame_numbers import with_gaps
from signgen.poses.point_layouts import BODY_25, FACE_70, IDENTITY_133, LEFT_HAND_NAMES, RIGHT_HAND_NAMES
from signgen.poses.skeletons import FEET_NAMES, NAMES_18

# Each component's point names by how many points it has; an empty one is a part that was not looked for.
COMPONENTS: dict[str, dict[int, Sequence[str]]] = {
    "pose_keypoints_2d": {0: (), 18: NAMES_18, 24: NAMES_18 + FEET_NAMES, 25: BODY_25},
    "face_keypoints_2d": {0: (), 68: FACE_70[:68], 70: FACE_70},
    "hand_left_keypoints_2d": {0: (), 21: LEFT_HAND_NAMES},
    "hand_right_keypoints_2d": {0: (), 21: RIGHT_HAND_NAMES},
}
# All names that occur, the 18 body points first.
NAMES = list(dict.fromkeys(NAMES_18 + BODY_25 + FACE_70 + LEFT_HAND_NAMES + RIGHT_HAND_NAMES))


def is_openpose(frame: Any) -> bool:
    """Whether a JSON value is a frame of OpenPose's."""
    return isinstance(frame, dict) and isinstance(frame.get("people"), list)


def openpose_poses(frames: Sequence[Any], numbers: Sequence[int] | None = None) -> RawPoses:
    """The people of each frame; a frame without people has no points. numbers: of the frames, where they are known."""
    parsed = [_frame(frame, number) for number, frame in enumerate(frames)]
    bodies = {tuple(names) for frame in parsed for _, used in frame for names in used}
    points = with_gaps(padded([[person for person, _ in frame] for frame in parsed], len(NAMES)), numbers)
    size = next((size for size in map(_canvas, frames) if size), None)
    if bodies == {tuple(NAMES_18)}:
        return RawPoses("OpenPose JSON", "OpenPose COCO-18", points[..., :18, :], NAMES_18, IDENTITY_133, size)
    layout = "OpenPose " + ("BODY_25" if tuple(BODY_25) in bodies else "COCO-18")
    return RawPoses("OpenPose JSON", layout, points, NAMES, IDENTITY_133, size)


def _frame(frame: Any, number: int) -> list[tuple[np.ndarray, list[Sequence[str]]]]:
    """Each person's points, ordered as NAMES, and the names of the components that they came in."""
    if not is_openpose(frame):
        raise UserError(f"frame {number} is not OpenPose's: it has no list of people")
    return [_person(person, f"frame {number}, person {i}") for i, person in enumerate(frame["people"])]


def _person(person: Any, where: str) -> tuple[np.ndarray, list[Sequence[str]]]:
    points = np.zeros((len(NAMES), 3))
    used = []
    if not isinstance(person, dict):
        raise UserError(f"{where} is no JSON object")
    keys = {component: _key(component, person) for component in COMPONENTS}
    if not any(key in person for key in keys.values()):
        found = ", ".join(map(str, person))[:100] or "nothing"
        raise UserError(f"{where} has none of {', '.join(COMPONENTS)}; it has {found}")
    for component, names_by_count in COMPONENTS.items():
        values = numbers(person.get(keys[component]) or [], f"{where}, {component}")
        names = names_by_count.get(len(values) // 3)
        if names is None or len(values) % 3:
            expected = " or ".join(str(3 * count) for count in names_by_count)
            raise UserError(f"{where}: {component} has {len(values)} numbers, not {expected}")
        if names:
            points[[NAMES.index(name) for name in names]] = np.reshape(values, (-1, 3))
            used.append(names)
    return points, used


def _key(component: str, person: dict[str, Any]) -> str:
    """What the person calls the component: OpenPose's first versions wrote the names without the _2d."""
    return component if component in person else component.removesuffix("_2d")


def numbers(values: Any, where: str) -> list[float]:
    """A JSON list of numbers, null meaning missing (0)."""
    if not isinstance(values, list) or not all(v is None or isinstance(v, int | float) for v in values):
        raise UserError(f"{where} is no list of numbers")
    try:
        return [float(value or 0) for value in values]
    except OverflowError as error:  # JSON's whole numbers have no limit
        raise UserError(f"{where} holds an absurdly large number") from error


def _canvas(frame: Any) -> tuple[int, int] | None:
    """The image's size, where the tool wrote it."""
    size = frame.get("canvas_width"), frame.get("canvas_height")
    return size if all(isinstance(side, int) and 0 < side < 65536 for side in size) else None  # type: ignore
