"""What a corpus is: a list of clips, each with its frames and its poses."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from signgen.errors import UserError
from signgen.poses import PoseSequence, read_poses
from signgen.video import VideoReader, open_video


@dataclass(frozen=True)
class Clip:
    """One signed utterance: where its frames and its poses lie, and what is said in it."""

    name: str
    frames: Path
    """A video file or a folder of pictures."""
    poses: Path | None = None
    """A pose file; None where the corpus has none for this clip."""
    pose_name: str | None = None
    """The entry to read when the pose file holds many clips."""
    speaker: str = ""
    gloss: str = ""
    text: str = ""


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
        """Opens the frames of one clip. Raises UserError if they are missing or broken."""
        return open_video(self.clips[index].frames)

    def poses(self, index: int) -> PoseSequence:
        """Reads the poses of one clip, in pixels of its frames.

        Pose files that do not say which picture their pixels refer to are taken to refer to the clip's own
        frames. Raises UserError if there are none or they cannot be read.
        """
        clip = self.clips[index]
        if clip.poses is None:
            raise UserError(f"{clip.frames}: clip has no poses; make them with `signgen poses extract`")
        with self.reader(index) as reader:
            return read_poses(clip.poses, name=clip.pose_name, size=reader.size, fps=reader.fps)
