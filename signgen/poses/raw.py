"""What a pose file holds, before it is brought to a skeleton and what it does not say is filled in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from signgen.errors import UserError
from signgen.poses.layouts import LAYOUT_OF_COUNT, PointMap, convert_points
from signgen.poses.sequence import PoseSequence, cleaned
from signgen.poses.skeletons import COCO_WHOLEBODY, NAMES_18, OPENPOSE_18

# Assumed where neither the file nor the caller says; it changes no picture, only the time they are shown
# for. It is the rate of Phoenix-2014T and of most sign-language corpora.
DEFAULT_FPS = 25.0


@dataclass(frozen=True, eq=False)
class RawPoses:
    """The content of a pose file.

    Attributes:
        format: what the file is, in words, for messages.
        layout: the tool's point layout, in words.
        points: (F, K, 3) x, y in pixels and a score, as the file has them.
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

        UserError if no size is known.
        """
        size = self.size or size
        if size is None:
            raise UserError(f"{self.format} files do not say how large the picture was: give its size")
        points = cleaned(self.points)
        if self.skeleton == COCO_WHOLEBODY:
            points = convert_points(points, self.names, self.point_map)
        return PoseSequence(points, size, self.fps or fps or DEFAULT_FPS, self.skeleton)
