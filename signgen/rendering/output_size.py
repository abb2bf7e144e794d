"""How large a video becomes: as FRAME, or smaller where players would not decode it."""

import math

import numpy as np

from signgen.errors import warn
from signgen.video.image_arrays import resize_image

# Of H.264's levels 4 to 4.2 (1920x1080), which every player decodes: 16x16 blocks of a frame (ITU-T H.264, table A-1).
MOST_BLOCKS = 8704


def output_image(image: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
    """The first frame uint8 (H, W, 3), as large as the video is to be; its shape stays.

    size: (width, height) into which it is fitted; without one, a frame of more than full HD is made smaller, and a
    warning says so.
    """
    height, width, _ = image.shape
    if size is not None:
        return _scaled(image, min(size[0] / width, size[1] / height))
    blocks = math.ceil(width / 16) * math.ceil(height / 16)
    if blocks <= MOST_BLOCKS:
        return image
    scale = math.sqrt(MOST_BLOCKS / blocks)
    smaller = _scaled(image, scale - 16 / min(width, height))  # less a block, which rounding up may take
    warn(
        f"FRAME has {width}x{height} pixels; the video is made {smaller.shape[1]}x{smaller.shape[0]}, which players "
        "decode: --size WIDTHxHEIGHT chooses another size"
    )
    return smaller


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    """By `scale`, to even sides, as H.264 needs them."""
    height, width = (max(2, 2 * round(side * scale / 2)) for side in image.shape[:2])
    return resize_image(image, (height, width), "lanczos")
