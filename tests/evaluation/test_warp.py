import numpy as np
import pytest

from signgen.evaluation.warp import warp_by_points, with_limbs
from signgen.poses.skeletons import COCO_WHOLEBODY, NAMES_133

HEIGHT, WIDTH = 60, 80


@pytest.fixture
def frame() -> np.ndarray:
    """A bright square of 12 pixels, its upper left corner at 20, 30, on grey."""
    frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    frame[30:42, 20:32] = 220
    return frame


@pytest.fixture
def points() -> np.ndarray:
    """Points all over the square."""
    y, x = np.mgrid[30:43:2, 20:33:2]
    return np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3).astype(np.float32)


def test_points_that_stay_change_nothing(frame: np.ndarray, points: np.ndarray) -> None:
    assert (warp_by_points(frame, points, points) == frame).all()


def test_what_the_points_lie_on_moves_with_them(frame: np.ndarray, points: np.ndarray) -> None:
    moved = warp_by_points(frame, points, points + np.float32([24, -20, 0]))
    assert (moved[12:20, 46:54] > 200).all()
    assert (moved[:5] == 90).all()


@pytest.mark.parametrize("lacking", ["source", "target"])
def test_points_that_one_side_lacks_move_nothing(frame: np.ndarray, points: np.ndarray, lacking: str) -> None:
    both = {"source": points, "target": points + np.float32([24, -20, 0])}
    both[lacking] = both[lacking] * np.float32([1, 1, 0])
    assert (warp_by_points(frame, **both) == frame).all()


def test_limbs_get_points_between_their_ends() -> None:
    keypoints = np.zeros((133, 3), np.float32)
    keypoints[NAMES_133.index("left_elbow")] = 10, 20, 0.9
    keypoints[NAMES_133.index("left_wrist")] = 24, 34, 0.5
    added = with_limbs(keypoints, COCO_WHOLEBODY)[133:]
    shown = added[added[:, 2] > 0]
    assert shown.tolist() == [[10 + 2 * step, 20 + 2 * step, 0.5] for step in range(1, 7)]
