"""Videos of many kinds, made by FFmpeg through PyAV."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest


@pytest.fixture
def moving_image() -> Callable[[int, int, int], np.ndarray]:
    return _moving_image


def _moving_image(count: int, height: int, width: int) -> np.ndarray:
    """uint8 (count, height, width, 3): smooth colours with a bar that moves one column a frame."""
    y, x = np.mgrid[:height, :width]
    frames = np.stack([np.stack([x * 200 / width, y * 200 / height, 0 * x + 60], -1)] * count).astype(np.uint8)
    for index in range(count):
        frames[index, :, (4 * index) % width : (4 * index) % width + 4] = 250
    return frames


@pytest.fixture
def make_video(tmp_path) -> Callable[..., Path]:
    """Encode frames with any codec, pixel format, container, times and rotation."""

    def make(
        frames: np.ndarray,
        name: str = "video.mp4",
        codec: str = "libx264",
        pixels: str = "yuv444p",
        times: list[int] | None = None,
        rotation: int = 0,
        **options: str,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = pixels
            if rotation:
                stream.set_display_rotation(rotation)
            stream.codec_context.time_base = Fraction(1, 100)
            container.start_encoding()
            for index, frame in enumerate(frames):
                image = av.VideoFrame.from_ndarray(frame, format="rgb24")
                image.pts = times[index] if times else 4 * index
                image.time_base = Fraction(1, 100)
                container.mux(stream.encode(image))
            container.mux(stream.encode(None))
        return path

    return make
