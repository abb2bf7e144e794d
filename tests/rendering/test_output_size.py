"""How large a video becomes."""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signgen.errors import InputWarning
from signgen.rendering.output_size import MOST_BLOCKS, output_image


def image(width: int, height: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


@pytest.mark.parametrize("size", [(210, 260), (1920, 1080), (1080, 1920), (45, 53)])
def test_up_to_full_hd_nothing_changes(size: tuple[int, int]) -> None:
    frame = image(*size)
    assert output_image(frame) is frame


@settings(max_examples=6, deadline=None)
@given(st.integers(1000, 3000), st.integers(1000, 3000))
def test_larger_frames_become_what_players_decode(width: int, height: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        new_height, new_width, _ = output_image(image(width, height)).shape
    assert math.ceil(new_width / 16) * math.ceil(new_height / 16) <= MOST_BLOCKS
    assert new_width / new_height == pytest.approx(width / height, rel=0.005)
    assert new_width * new_height > min(width * height, 0.9 * 256 * MOST_BLOCKS) * 0.99


def test_a_telephones_image_is_said_to_be_made_smaller() -> None:
    with pytest.warns(InputWarning, match="FRAME has 4032x3024 pixels; the video is made 1"):
        assert output_image(image(4032, 3024)).shape[1] < 1750


@pytest.mark.parametrize(
    ("wanted", "made"), [((1280, 960), (1280, 960)), ((1280, 720), (960, 720)), ((4000, 3000), (4000, 3000))]
)
def test_a_size_that_is_asked_for_keeps_the_shape(wanted: tuple[int, int], made: tuple[int, int]) -> None:
    height, width, _ = output_image(image(4000, 3000), wanted).shape
    assert (width, height) == made
