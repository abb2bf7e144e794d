"""Which frame of the driving video stands beside which pose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signgen.errors import UserError
from signgen.poses.driving import Moments
from signgen.rendering.render_to_file import Driving
from signgen.video import VideoReader


class Counting(VideoReader):
    """A video whose frame i is as bright as i."""

    def __init__(self, count: int, fps: float):
        self.count, self.fps, self.size = count, fps, (4, 4)

    def __len__(self) -> int:
        return self.count

    def __iter__(self):
        return map(self.__getitem__, range(self.count))

    def frames(self, indices):
        return np.stack([np.full((4, 4, 3), i, np.uint8) for i in self._checked(indices)])


def shown(video: VideoReader, moments: Moments, count: int) -> list[int]:
    driving, frame = Driving(video, moments, count), np.zeros((4, 4, 3), np.uint8)
    return [int(driving.beside(frame, pose)[0, 0, 0]) for pose in range(count)]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 200), st.floats(5, 120), st.floats(5, 120))
def test_equal_counts_go_frame_by_frame_whatever_the_rates(count: int, fps: float, other: float) -> None:
    assert shown(Counting(count, fps), Moments(count, other), count) == list(range(count))


def test_a_part_of_the_poses_begins_where_it_does() -> None:
    assert shown(Counting(36, 30000 / 1001), Moments(36, 29, start=10), 5) == [10, 11, 12, 13, 14]
    assert shown(Counting(36, 30000 / 1001), Moments(36, 29, start=10, step=0.5), 6) == [10, 10, 11, 11, 12, 12]


def test_other_counts_go_by_time() -> None:
    assert shown(Counting(60, 50), Moments(30, 25), 30) == list(range(0, 60, 2))
    with pytest.raises(UserError, match="the video beside ends after 20 frames, the poses need 30"):
        Driving(Counting(20, 25), Moments(30, 25), 30)
