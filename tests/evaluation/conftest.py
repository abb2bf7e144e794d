from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

WriteClip = Callable[..., Path]


@pytest.fixture
def write_clip(tmp_path: Path) -> WriteClip:
    """Writes a folder of random images: write_clip("a/b", frames=3, size=(64, 48), seed=0) -> its path."""

    def write(name: str, frames: int = 3, size: tuple[int, int] = (64, 48), seed: int = 0) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        images = np.random.default_rng(seed).integers(0, 256, (frames, size[1], size[0], 3), np.uint8)
        for i, image in enumerate(images):
            Image.fromarray(image).save(folder / f"{i}.png")
        return folder

    return write
