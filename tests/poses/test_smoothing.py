from dataclasses import replace

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.poses import PoseSequence, fill_gaps, one_euro, savitzky_golay
from signgen.poses.smoothing import SMOOTHERS


def moving(x: np.ndarray, score: float | np.ndarray = 1.0, fps: float = 25.0) -> PoseSequence:
    """All points at x over time, y = 100."""
    keypoints = np.zeros((len(x), 133, 3), np.float32)
    keypoints[..., 0], keypoints[..., 1] = x[:, None], 100
    keypoints[..., 2] = np.broadcast_to(score, len(x))[:, None]
    return PoseSequence(keypoints, (210, 260), fps, "coco-wholebody-133")


def jitter(x: np.ndarray) -> float:
    return float(np.abs(np.diff(x, 2)).mean())


NOISE = np.random.default_rng(0).normal(0, 1.0, 100).astype(np.float32)


@pytest.mark.parametrize("smooth", SMOOTHERS.values())
def test_a_still_point_becomes_steadier(smooth):
    smoothed = smooth(moving(100 + NOISE)).positions[:, 0, 0]
    assert jitter(smoothed) < 0.4 * jitter(NOISE)
    assert abs(smoothed.mean() - 100) < 0.3


@pytest.mark.parametrize("smooth", SMOOTHERS.values())
def test_a_fast_hand_is_kept(smooth):
    """A hand that swings across 120 pixels twice a second loses under 8 % of its reach, and does not lag."""
    swing = 100 + 60 * np.sin(2 * np.pi * 2 * np.arange(100) / 25)
    smoothed = smooth(moving(swing)).positions[:, 0, 0]
    assert np.ptp(smoothed[10:-10]) > 0.92 * np.ptp(swing)
    lags = [np.corrcoef(smoothed[10:-10], np.roll(swing, lag)[10:-10])[0, 1] for lag in (-1, 0, 1)]
    assert int(np.argmax(lags)) == 1


@pytest.mark.parametrize("smooth", SMOOTHERS.values())
def test_missing_points_stay_missing_and_reach_into_no_other_frame(smooth):
    score = np.ones(40, np.float32)
    score[15:20] = 0
    x = np.where(score > 0, 100.0, 1e5)
    smoothed = smooth(moving(x, score))
    assert (smoothed.scores[:, 0] == score).all()
    assert np.allclose(smoothed.positions[score > 0, 0, 0], 100)
    assert (smoothed.positions[score == 0, 0, 0] == 1e5).all()


@pytest.mark.parametrize("smooth", SMOOTHERS.values())
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_short_sequences(smooth, frames):
    poses = moving(np.full(frames, 50.0))
    assert np.allclose(smooth(poses).keypoints, poses.keypoints)


@pytest.mark.parametrize("smooth", SMOOTHERS.values())
def test_the_filters_work_the_same_at_any_image_size(smooth):
    poses = moving(100 + NOISE)
    large = smooth(poses.scaled_to((2100, 2600))).scaled_to((210, 260))
    assert np.allclose(large.keypoints, smooth(poses).keypoints, atol=1e-3)


def test_savitzky_golay_keeps_a_parabola():
    time = np.arange(30.0)
    poses = moving(20 + 0.2 * time**2)
    assert np.allclose(savitzky_golay(poses).keypoints, poses.keypoints, atol=1e-3)


def test_impossible_parameters_are_refused(signer):
    with pytest.raises(UserError, match="cannot hold a polynomial"):
        savitzky_golay(signer, seconds=0.04, order=2)
    with pytest.raises(UserError, match="min_cutoff"):
        one_euro(signer, min_cutoff=0)


def test_short_gaps_are_filled_between_good_frames():
    score = np.array([1, 1, 0.1, 0, 0.8, 1], np.float32)
    filled = fill_gaps(moving(np.array([0, 10, 999, 999, 40, 50.0]), score))
    assert np.allclose(filled.positions[:, 0, 0], [0, 10, 20, 30, 40, 50], atol=1e-4)
    assert np.allclose(filled.scores[:, 0], [1, 1, 0.8, 0.8, 0.8, 1])


def test_long_gaps_and_the_ends_stay(signer):
    score = np.array([0, 1] + [0] * 6 + [1, 0], np.float32)
    poses = moving(np.arange(10.0), score)
    assert (fill_gaps(poses).keypoints == poses.keypoints).all()
    assert fill_gaps(poses, max_seconds=0.24).present[1:9].all()


def test_inputs_are_not_changed(signer):
    before = signer.keypoints.copy()
    for change in (fill_gaps, *SMOOTHERS.values()):
        change(replace(signer))
    assert (signer.keypoints == before).all()
