"""Each random change by itself."""

import numpy as np
import pytest

from signgen.data.augmentation import (
    Augmentation,
    change_colours,
    colour_transform,
    drop_resolution,
    flip_keypoints,
    jitter_keypoints,
)
from signgen.errors import UserError
from signgen.poses.skeletons import LEFT_HAND, RIGHT_HAND
from tests.small_corpus import HEIGHT, WIDTH, make_keypoints

IDENTITY = np.eye(3, 4)


@pytest.fixture
def keypoints() -> np.ndarray:
    return make_keypoints(1, seed=3)[0].astype(np.float32)


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def test_jitter_moves_present_points_by_its_deviation_and_no_missing_one(keypoints: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    moves = np.stack([jitter_keypoints(keypoints, 1.5, rng) - keypoints for _ in range(400)])
    present = keypoints[:, 2] > 0
    assert 0 < present.sum() < len(keypoints)
    assert (moves[:, ~present] == 0).all()
    assert (moves[..., 2] == 0).all()
    assert moves[:, present, :2].std() == pytest.approx(1.5, rel=0.02)


def test_flip_exchanges_the_hands_and_mirrors_x(keypoints: np.ndarray) -> None:
    flipped = flip_keypoints(keypoints, WIDTH, "coco-wholebody-133")
    left, right = keypoints[LEFT_HAND], flipped[RIGHT_HAND]
    present = left[:, 2] > 0
    np.testing.assert_allclose(right[present, 0], WIDTH - left[present, 0], rtol=1e-6)
    np.testing.assert_array_equal(right[:, 1:], left[:, 1:])
    assert (right[~present, 0] == 0).all()


def test_flipping_twice_changes_nothing(keypoints: np.ndarray) -> None:
    twice = flip_keypoints(flip_keypoints(keypoints, WIDTH, "coco-wholebody-133"), WIDTH, "coco-wholebody-133")
    np.testing.assert_allclose(twice, keypoints, atol=1e-5)


def test_no_strength_is_no_change_of_colour(frame: np.ndarray) -> None:
    transform = colour_transform(0.0, np.random.default_rng(0))
    np.testing.assert_allclose(transform, IDENTITY, atol=1e-12)
    np.testing.assert_array_equal(change_colours(frame, transform), frame)


def test_colour_transforms_keep_grey_grey() -> None:
    for seed in range(20):
        transform = colour_transform(0.5, np.random.default_rng(seed))
        mapped = transform @ np.array([90.0, 90.0, 90.0, 1.0])
        np.testing.assert_allclose(mapped, mapped.mean())


def test_change_of_colours_is_the_affine_map_rounded_and_clipped(frame: np.ndarray) -> None:
    transform = colour_transform(0.8, np.random.default_rng(1))
    exact = np.clip(frame @ transform[:, :3].T + transform[:, 3], 0, 255)
    changed = change_colours(frame, transform)
    assert np.abs(changed - exact).max() <= 0.5 + 1e-3
    assert ((exact == 0) | (exact == 255)).any()  # clipping was put to the test


def test_low_resolution_keeps_size_and_mean_but_no_detail() -> None:
    checkerboard = np.indices((HEIGHT, WIDTH)).sum(axis=0) % 2 * 255
    frame = np.repeat(checkerboard[..., None], 3, axis=2).astype(np.uint8)
    low = drop_resolution(frame)
    assert low.shape == frame.shape
    assert low.std() < 1
    assert low.mean() == pytest.approx(frame.mean(), abs=1)


@pytest.mark.parametrize("setting", [{"flip": 1.5}, {"colour": -0.1}, {"keypoint_jitter": float("nan")}])
def test_absurd_settings_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"augmentation.{next(iter(setting))}"):
        Augmentation(**setting)
