"""Reads and writes frames."""

from pathlib import Path

import numpy as np

from signgen.errors import UserError
from signgen.video.files import VideoFile
from signgen.video.images import holds_image, is_image, read_image
from signgen.video.kinds import VIDEO_SUFFIXES, is_still, is_video
from signgen.video.readers import FOLDER_FPS, ImageFolder, VideoReader
from signgen.video.writer import VideoWriter

__all__ = [
    "FOLDER_FPS",
    "VIDEO_SUFFIXES",
    "ImageFolder",
    "VideoFile",
    "VideoReader",
    "VideoWriter",
    "is_image",
    "is_video",
    "open_video",
    "read_first_frame",
    "read_image",
]


def open_video(path: str | Path) -> VideoReader:
    """Open a video file, or a folder of images. UserError where it is missing, broken or empty."""
    path = Path(path)
    if path.is_dir():
        return ImageFolder(path)
    if is_image(path):
        raise UserError(f"{path}: an image, where a video or a folder of images is needed")
    if is_still(path):
        raise UserError(f"{path}: an image of the HEIF family, which cannot be read: save it as JPEG or PNG")
    return VideoFile(path)


def read_first_frame(path: str | Path) -> np.ndarray:
    """uint8 (H, W, 3): an image, or the first frame of a video or of a folder of images."""
    path = Path(path)
    if not path.is_dir() and (is_image(path) or holds_image(path)):
        return read_image(path)
    with open_video(path) as video:
        return next(iter(video))
