"""Poses that exist as images only, as in FPDM's own data.

They have no keypoints, so they are no PoseSequence: they cannot be smoothed, flipped or aligned. A model that was
trained on such pose maps can still read them. `draw_poses` takes them in place of a PoseSequence.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.video.image_arrays import resize_image
from signgen.video.readers import FOLDER_FPS, ImageFolder

# Pose maps are lines on black; of a photograph, far less is as dark.
DARK_LEVEL, DARK_SHARE = 24, 0.75


@dataclass(frozen=True)
class PoseMaps:
    """A folder of pose maps, read one at a time.

    Attributes:
        reader: the images.
        frames: which of them, in order.
        fps: frames per second.
    """

    reader: ImageFolder
    frames: range
    fps: float = FOLDER_FPS

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, frames: slice) -> "PoseMaps":
        """Frames a:b; UserError where none is left."""
        kept = self.frames[frames]
        if not len(kept):
            raise UserError(f"frames {frames.start}:{frames.stop} of {len(self)} poses: none is left")
        return replace(self, frames=kept)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the pose maps."""
        return self.reader.size

    def images(self, height: int, width: int) -> Iterator[np.ndarray]:
        """The pose maps resized to uint8 (height, width, 3) each."""
        for index in self.frames:
            yield resize_image(self.reader[index], (height, width), "box")


def read_pose_maps(path: str | Path, fps: float | None = None) -> PoseMaps:
    """Read a folder of pose maps. UserError if it has none, or if they are no pose maps on black."""
    if not holds_pose_maps(path):
        raise UserError(f"{path}: these images are no pose maps of poses; extract poses from them first")
    reader = ImageFolder(path)
    return PoseMaps(reader, range(len(reader)), fps or FOLDER_FPS)


def holds_pose_maps(path: str | Path) -> bool:
    """Whether the first image of a folder is mostly black. UserError where the folder holds no images."""
    return float((ImageFolder(path)[0].max(-1) < DARK_LEVEL).mean()) >= DARK_SHARE
