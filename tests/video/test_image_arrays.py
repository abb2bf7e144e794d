import io

import numpy as np
import pytest
from PIL import Image

from signgen.video.image_arrays import FILTERS, png_bytes, resize_image, write_png

IMAGE = np.random.default_rng(0).integers(0, 256, (13, 17, 3), dtype=np.uint8)


def test_a_size_is_height_and_width() -> None:
    assert resize_image(IMAGE, (6, 9)).shape == (6, 9, 3)
    assert resize_image(IMAGE[..., 0], (6, 9)).shape == (6, 9)
    assert resize_image(IMAGE, (13, 17)) is IMAGE


@pytest.mark.parametrize("method", FILTERS)
def test_every_filter_keeps_a_flat_image_flat(method: str) -> None:
    flat = np.full((13, 17, 3), 77, np.uint8)
    assert (resize_image(flat, (5, 40), method) == 77).all()


def test_a_png_holds_the_image(tmp_path) -> None:
    write_png(tmp_path / "a.png", IMAGE)
    assert (tmp_path / "a.png").read_bytes() == png_bytes(IMAGE)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(png_bytes(IMAGE)))), IMAGE)
