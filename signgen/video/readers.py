"""What every video reader offers, and the reader of image folders."""

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.io.names import visible
from signgen.video.images import image_size, is_image, read_image

# A folder of images carries no rate; this is that of Phoenix-2014T and of most sign-language corpora.
FOLDER_FPS = 25.0


class VideoReader(ABC):
    """Frames of a video: iterate to stream them, index or call `frames` for random access; a context manager.

    Attributes:
        fps: frames per second; the average where the rate varies: frames come as stored, none added.
        size: (width, height) of a frame, turned upright.
        stored_size: the same before its pixels were made square, which other tools' keypoints refer to.
    """

    fps: float
    size: tuple[int, int]

    @property
    def stored_size(self) -> tuple[int, int]:
        return self.size

    @abstractmethod
    def __len__(self) -> int:
        """The number of frames."""

    @abstractmethod
    def __iter__(self) -> Iterator[np.ndarray]:
        """All frames in order, uint8 (H, W, 3), one in memory at a time."""

    @abstractmethod
    def frames(self, indices: Sequence[int]) -> np.ndarray:
        """The frames at `indices`, in that order: uint8 (N, H, W, 3). IndexError outside the video."""

    def __getitem__(self, index: int) -> np.ndarray:
        """Frame `index`, counted from the end if negative: uint8 (H, W, 3)."""
        return self.frames([index])[0]

    def __enter__(self) -> "VideoReader":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:  # noqa: B027  (a folder has nothing to close)
        """Let go of the file."""

    def _checked(self, indices: Sequence[int]) -> list[int]:
        count = len(self)
        if any(not -count <= index < count for index in indices):
            raise IndexError(f"frames {list(indices)} of a video with {count} frames")
        return [int(index) % count for index in indices]


class ImageFolder(VideoReader):
    """The images in a folder, in natural order of their names (2 before 10), as a video."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.paths = sorted(filter(is_image, visible(self.path)), key=natural_key)
        if not self.paths:
            raise UserError(f"{path}: the folder holds no images")
        self.fps = FOLDER_FPS
        self._example: tuple[Path, tuple[int, int]] | None = None  # an image and its size, which all must have

    @property
    def size(self) -> tuple[int, int]:  # type: ignore[override]
        """(width, height). Found when it is needed: to know how a PNG is turned, Pillow decodes it."""
        if self._example is None:
            self._example = self.paths[0], image_size(self.paths[0])
        return self._example[1]

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self._read, self.paths)

    def frames(self, indices: Sequence[int]) -> np.ndarray:
        return np.stack([self._read(self.paths[i]) for i in self._checked(indices)])

    def _read(self, path: Path) -> np.ndarray:
        frame = read_image(path)
        height, width, _ = frame.shape
        self._example = self._example or (path, (width, height))
        example, size = self._example
        if (width, height) != size:
            raise UserError(f"{path}: {width}x{height} pixels, but {example.name} has {size[0]}x{size[1]}")
        return frame


def natural_key(path: Path) -> list[int | str]:
    """A sort key that compares numbers in file names by value: images2 before images10."""
    parts = re.split(r"(\d+)", path.name)
    return [int(part) if number % 2 else part for number, part in enumerate(parts)]
