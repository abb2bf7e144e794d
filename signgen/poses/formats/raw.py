"""What a pose file holds, before it is brought to a skeleton and what it does not say is filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from signgen.errors import UserError
from signgen.poses.point_layouts import LAYOUT_OF_COUNT, PointMap, convert_points
from signgen.poses.sequence import PoseSequence, cleaned
from signgen.poses.skeletons import COCO_WHOLEBODY, NAMES_18, NAMES_133, OPENPOSE_18

# Assumed where neither the file nor the caller says; it changes no picture, only the time they are shown
# for. It is the rate of Phoenix-2014T and of most sign-language corpora.
DEFAULT_FPS = 25.0


@dataclass(frozen=True, eq=False)
class RawPoses:
    """The poses of a file, as the file has them.

    Attributes:
        format: what the file is, in words.
        layout: the tool's point layout, in words.
        points: (F, K, 3) x, y in pixels and a score.
        names: of the K points.
        point_map: from the names of the 133 points to `names`.
        size: (width, height) of the picture, None where the file does not say.
        fps: frames per second, None where the file does not say.
    """

    format: str
    layout: str
    points: np.ndarray
    names: Sequence[str]
    point_map: PointMap
    size: tuple[int, int] | None = None
    fps: float | None = None

    @classmethod
    def by_count(
        cls,
        format: str,
        points: np.ndarray,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
    ) -> "RawPoses":
        """For formats that do not name their points: the layout follows from how many there are."""
        if points.shape[1] not in LAYOUT_OF_COUNT:
            known = ", ".join(map(str, sorted(LAYOUT_OF_COUNT)))
            raise UserError(f"{points.shape[1]} points a frame are of no known layout; known are {known}")
        layout, names, point_map = LAYOUT_OF_COUNT[points.shape[1]]
        return cls(format, layout, points, names, point_map, size, fps)

    @property
    def skeleton(self) -> str:
        """The skeleton that holds these points: OpenPose-18 for exactly its points, else COCO-WholeBody."""
        return OPENPOSE_18 if list(self.names) == NAMES_18 else COCO_WHOLEBODY

    def sequence(self, size: tuple[int, int] | None, fps: float | None) -> PoseSequence:
        """As a PoseSequence; `size` and `fps` fill in what the file does not say.

        UserError without a size.
        """
        size = self.size or size
        if size is None:
            raise UserError(f"{self.format} does not say how large the picture was: give its size")
        points = cleaned(self.points)
        if self.skeleton == COCO_WHOLEBODY and list(self.names) != NAMES_133:
            points = convert_points(points, self.names, self.point_map)
        return PoseSequence(points, size, self.fps or fps or DEFAULT_FPS, self.skeleton)


# The sequences of a file by name, each read when it is called for. "" names the one that a file is about.
Sequences = Mapping[str, Callable[[], RawPoses]]


def select(sequences: Sequences, name: str | None) -> RawPoses:
    """Read the sequence called `name`; without a name, the one the file is about, or its only one.

    Names of many corpora are paths; the last part of one will do (MSKA writes test/NAME). UserError
    otherwise.
    """
    if name is None:
        name = "" if "" in sequences or len(sequences) != 1 else next(iter(sequences))
    matching = [own for own in sequences if own == name] or [
        own for own in sequences if name and own.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1]
    ]
    if len(matching) == 1:
        return sequences[matching[0]]()
    named = [own for own in sequences if own]
    if not named:
        raise UserError(f"it holds one sequence, which has no name; leave {name!r} out")
    some = ", ".join(named[:3]) + (", ..." if len(named) > 3 else "")
    if not name:
        raise UserError(f"it holds {len(named)} sequences ({some}): select one by FILE::NAME")
    raise UserError(f"it holds no sequence called {name!r}, or several; it has {some}")


def as_points(array: np.ndarray) -> np.ndarray:
    """Any array of key points as float (F, K, 3): one frame, one person and absent scores are completed."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise UserError("key points must be an array of numbers")
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[-1] not in (2, 3) or not len(array):
        raise UserError(f"key points of shape {array.shape}: it must be (frames, points, 3)")
    array = array.astype(np.float64)
    if array.shape[-1] == 2:  # a point without a score that is not right or below of the origin is missing
        array = np.concatenate([array, (array > 0).any(-1, keepdims=True)], -1)
    return array


def largest_person(people: Sequence[np.ndarray]) -> int:
    """Which of several people's (K, 3) points span the largest box; 0 where none has a point."""

    def area(points: np.ndarray) -> float:
        present = cleaned(points)
        present = present[present[:, 2] > 0, :2]
        return float(np.ptp(present, 0).prod()) if len(present) else 0.0

    return max(range(len(people)), key=lambda i: area(people[i]))
