"""What a pose file holds, before it is brought to a skeleton and what it does not say is filled in."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from signgen.errors import UserError
from signgen.io.names import composed
from signgen.poses.coordinates import PIXELS, coordinates, to_pixels
from signgen.poses.people import Person, choose, people
from signgen.poses.point_layouts import LAYOUT_OF_COUNT, PointMap, convert_points, neck_134
from signgen.poses.sequence import PoseSequence, check_size, cleaned
from signgen.poses.skeletons import COCO_WHOLEBODY, NAMES_18, NAMES_133, OPENPOSE_18

# Assumed where neither the file nor the caller says; it changes no image, only the time they are shown
# for. It is the rate of Phoenix-2014T and of most sign-language corpora.
DEFAULT_FPS = 25.0


@dataclass(frozen=True, eq=False)
class RawPoses:
    """The poses of a file, as the file has them.

    Attributes:
        format: what the file is, in words.
        layout: the tool's point layout, in words.
        points: (F, N, K, 3) x, y and a score of up to N people a frame, in any order; x and y are pixels, or
            normalised (`coordinates`). (F, K, 3), of one person, is completed.
        names: of the K points.
        point_map: from the names of the 133 points to `names`.
        size: (width, height) of the image, None where the file does not say.
        fps: frames per second, None where the file does not say.
    """

    format: str
    layout: str
    points: np.ndarray
    names: Sequence[str]
    point_map: PointMap
    size: tuple[int, int] | None = None
    fps: float | None = None

    def __post_init__(self) -> None:
        points = np.asarray(self.points, np.float64)
        object.__setattr__(self, "points", points if points.ndim == 4 else points[:, None])

    @classmethod
    def by_count(
        cls,
        format: str,
        points: np.ndarray,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
    ) -> "RawPoses":
        """For formats that do not name their points: the layout follows from how many there are."""
        count = points.shape[-2]
        if count == 134:
            return cls(format, *neck_134(points), size=size, fps=fps)
        if count not in LAYOUT_OF_COUNT:
            known = ", ".join(map(str, sorted({*LAYOUT_OF_COUNT, 134})))
            raise UserError(f"{count} points a frame are of no known layout; known are {known}")
        layout, names, point_map = LAYOUT_OF_COUNT[count]
        return cls(format, layout, points, names, point_map, size, fps)

    @property
    def skeleton(self) -> str:
        """The skeleton that holds these points: OpenPose-18 for exactly its points, else COCO-WholeBody."""
        return OPENPOSE_18 if list(self.names) == NAMES_18 else COCO_WHOLEBODY

    @cached_property
    def cleaned(self) -> np.ndarray:
        """The points, broken ones missing."""
        return cleaned(self.points)

    @cached_property
    def coordinates(self) -> str:
        """What x and y are: `signgen.poses.coordinates`."""
        return coordinates(self.cleaned, self.names)

    @cached_property
    def people(self) -> list[Person]:
        """Who is in the clip, followed from frame to frame."""
        return people(self.cleaned)

    def sequence(
        self,
        size: tuple[int, int] | None,
        fps: float | None,
        *,
        pose_size: tuple[int, int] | None = None,
        person: str | None = None,
    ) -> PoseSequence:
        """As a PoseSequence of one person; `size` and `fps` fill in what the file does not say.

        pose_size: the image's size, whatever the file says. person: see `signgen.poses.people.choose`. UserError
        without a size, and for a person who is not there.
        """
        size = pose_size or self.size or size
        if size is None:
            what = "" if self.coordinates == PIXELS else f"its coordinates are normalised ({self.coordinates}), and "
            raise UserError(f"{what}{self.format} does not say how large the image was: give its size")
        check_size(size)
        points = to_pixels(self.cleaned, self.coordinates, size)
        found = people(points) if points.shape[1] > 1 or person is not None else []
        points = self.on_skeleton(choose(found, person).points if found else points[:, 0])
        return PoseSequence(points, size, self.fps or fps or DEFAULT_FPS, self.skeleton)

    def on_skeleton(self, points: np.ndarray) -> np.ndarray:
        """(F, K, 3) points called `names` as those of the skeleton, float32."""
        points = points.astype(np.float32)
        if self.skeleton == COCO_WHOLEBODY and list(self.names) != NAMES_133:
            return convert_points(points, self.names, self.point_map)
        return points


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
        own for own in sequences if name and composed(own.rsplit("/", 1)[-1]) == composed(name.rsplit("/", 1)[-1])
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
