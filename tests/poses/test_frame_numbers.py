"""Frames that the numbers of a clip leave out."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signgen.errors import InputWarning
from signgen.poses import read_poses
from signgen.poses.frame_numbers import numbers_in, with_gaps


def points_of(numbers: list[int]) -> np.ndarray:
    """(F, 1, 2, 3) points at x = the number of the frame."""
    return np.ones((len(numbers), 1, 2, 3)) * np.array(numbers)[:, None, None, None] + 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=6, max_size=25, unique=True), st.integers(1, 3), st.integers(0, 10**5))
def test_each_frame_keeps_its_time(kept: list[int], stride: int, start: int) -> None:
    kept = sorted({*kept, 0, 1})  # so that the smallest step is `stride`
    numbers = [start + stride * place for place in kept]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InputWarning)
        full = with_gaps(points_of(numbers), numbers)
    assert len(full) == kept[-1] + 1
    assert np.array_equal(full[kept], points_of(numbers))
    assert not np.delete(full, kept, 0).any()


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["v_000000000000_keypoints", "v_000000000004_keypoints"], [0, 4]),
        (["clip2_cam1_7", "clip2_cam1_12"], [7, 12]),
        (["12_left", "9_left"], [12, 9]),
        (["a_1", "b_2"], None),
        (["a", "b"], None),
        (["a_1", "a_01"], None),
    ],
)
def test_the_number_of_a_frame_is_the_one_that_differs(names: list[str], numbers: list[int] | None) -> None:
    assert numbers_in(names) == numbers


def test_numbers_that_count_something_else_are_left_alone() -> None:
    times = [1000, 1033, 1067, 1101]
    with pytest.warns(InputWarning, match="1000 to 1101, leave out more than they name"):
        assert np.array_equal(with_gaps(points_of(times), times), points_of(times))


def test_a_folder_with_missing_frames(tmp_path: Path) -> None:
    for number in (0, 1, 4, 5):
        person = {"pose_keypoints_2d": [20.0 + number, 30.5, 0.9] * 25}
        (tmp_path / f"v_{number:012d}_keypoints.json").write_text(json.dumps({"people": [person]}))
    with pytest.warns(InputWarning, match=r"2 of 6 frames are missing \(number 2, 3\)"):
        poses = read_poses(tmp_path, size=(210, 260))
    assert poses.positions[:, 0, 0].tolist() == [20, 21, 0, 0, 24, 25]
    assert poses.present.any(1).tolist() == [True, True, False, False, True, True]
