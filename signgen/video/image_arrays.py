"""Resizes single images, and writes them as PNG."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize_image(image: np.ndarray, size: tuple[int, int], method: str = "bicubic") -> np.ndarray:
    """An image, uint8 (H, W) or (H, W, 3), resized to `size` (height, width) by a key of FILTERS.

    The image itself comes back if it has that size. All filters are antialiased.
    """
    if image.shape[:2] == tuple(size):
        return image
    height, width = size
    return np.asarray(Image.fromarray(image).resize((width, height), FILTERS[method]))


def png_bytes(image: np.ndarray) -> bytes:
    """An image, uint8 (H, W, 3), as a PNG file. It is compressed lightly, for speed."""
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def write_png(path: Path, image: np.ndarray) -> None:
    """Write an image, uint8 (H, W, 3), as a PNG file."""
    path.write_bytes(png_bytes(image))
