"""Poses that exist as pictures only, as in FPDM's own data.

They have no key points, so they are no PoseSequence: they cannot be smoothed, flipped or aligned. A model that was
trained on such pose maps can still read them. `draw_poses` takes them in place of a PoseSequence.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.video.image_arrays import resize_image
from signgen.video.readers import FOLDER_FPS, ImageFolder

# Drawings are lines on black; of a photograph, far less is as dark.
DARK_LEVEL, DARK_SHARE = 24, 0.75


@dataclass(frozen=True)
class DrawnPoses:
    """A folder of pose drawings, read one at a time.

    Attributes:
        reader: the pictures.
        frames: which of them, in order.
        fps: frames per second.
    """

    reader: ImageFolder
    frames: range
    fps: float = FOLDER_FPS

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, frames: slice) -> "DrawnPoses":
        """Frames a:b; UserError where none is left."""
        kept = self.frames[frames]
        if not len(kept):
            raise UserError(f"frames {frames.start}:{frames.stop} of {len(self)} poses: none is left")
        return replace(self, frames=kept)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the drawings."""
        return self.reader.size

    def pictures(self, height: int, width: int) -> Iterator[np.ndarray]:
        """The drawings resized to uint8 (height, width, 3) each."""
        for index in self.frames:
            yield resize_image(self.reader[index], (height, width), "box")


def read_drawn_poses(path: str | Path, fps: float | None = None) -> DrawnPoses:
    """Read a folder of pose drawings. UserError if it has none, or if they are no drawings on black."""
    if not holds_drawings(path):
        raise UserError(f"{path}: these pictures are no drawings of poses; extract poses from them first")
    reader = ImageFolder(path)
    return DrawnPoses(reader, range(len(reader)), fps or FOLDER_FPS)


def holds_drawings(path: str | Path) -> bool:
    """Whether the first picture of a folder is mostly black. UserError where the folder holds no pictures."""
    return float((ImageFolder(path)[0].max(-1) < DARK_LEVEL).mean()) >= DARK_SHARE
