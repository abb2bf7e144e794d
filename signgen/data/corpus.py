"""What a corpus is: a list of clips, each with its frames and its poses."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from signgen.errors import UserError, about
from signgen.poses import PoseSequence
from signgen.poses.formats.detect import list_sequences
from signgen.poses.formats.raw import Sequences, select
from signgen.video import VideoReader, open_video


def no_such_split(root: Path, split: str | None, splits: Sequence[str]) -> UserError:
    """The error for a split that a corpus does not have, or for a missing name of a split."""
    there = ", ".join(splits) or "none"
    if split is None:
        return UserError(f"{root}: which split? Add --split, or split= to a configuration; there is {there}")
    return UserError(f"{root}: no split {split!r} here; there is {there}")


@dataclass(frozen=True)
class Clip:
    """One signed utterance: the places of its frames and poses, and what is said in it."""

    name: str
    frames: Path
    """A video file or a folder of images."""
    poses: Path | None = None
    """A pose file; None where the corpus has none for this clip."""
    pose_name: str | None = None
    """The entry to read when the pose file holds many clips."""
    pose_size: tuple[int, int] | None = None
    """(width, height) that the poses' pixels refer to, where it is known not to be the size of the frames."""
    speaker: str = ""
    gloss: str = ""
    text: str = ""
    length: int | None = None
    """The number of frames, where the corpus's tables tell it."""

    def open(self) -> VideoReader:
        """Opens the frames. Raises UserError if they are missing or broken."""
        return open_video(self.frames)

    def read_poses(self, open_file: Callable[[Path], Sequences] = list_sequences) -> PoseSequence:
        """Reads the poses, in pixels of the image that the file names, or else of `pose_size` or the frames.

        `open_file` opens a pose file; see PoseFiles. Raises UserError if there are no poses or they cannot be
        read.
        """
        if self.poses is None:
            raise UserError(f"{self.frames}: clip has no poses; make them with `signgen poses extract`")
        with self.open() as reader:
            size, fps = self.pose_size or reader.stored_size, reader.fps
        sequences = open_file(self.poses)
        with about(self.poses):
            return select(sequences, self.pose_name).sequence(size, fps)


@dataclass(frozen=True)
class Corpus(Sequence[Clip]):
    """An immutable sequence of clips. `a + b` joins two corpora, `corpus[a:b]` is a smaller one."""

    clips: tuple[Clip, ...]

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> "Corpus": ...
    def __getitem__(self, index: int | slice) -> "Clip | Corpus":
        return Corpus(self.clips[index]) if isinstance(index, slice) else self.clips[index]

    def __add__(self, other: "Corpus") -> "Corpus":
        return Corpus(self.clips + other.clips)

    def reader(self, index: int) -> VideoReader:
        """Opens the frames of one clip; see Clip.open."""
        return self.clips[index].open()

    def poses(self, index: int) -> PoseSequence:
        """Reads the poses of one clip; see Clip.read_poses."""
        return self.clips[index].read_poses()
