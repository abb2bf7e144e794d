from dataclasses import replace

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.export.motion import HAND_BONES, HANDSHAPE_DEGREES, Motion, displace, draw_motion, retime, wandering
from signgen.export.settings import Variation
from signgen.poses import PoseSequence
from signgen.poses.skeletons import LEFT_HAND, RIGHT_HAND
from tests.export.conftest import person

STILL = Motion(mirror=False, tempo=1, rotation=0, scale=1, shift=(0, 0), noise=0, hand_noise=0, seed=3)


@pytest.fixture
def poses() -> PoseSequence:
    return PoseSequence(person(40, 0), (64, 80), 25.0, "coco-wholebody-133")


def test_no_variation_changes_nothing(poses: PoseSequence) -> None:
    motion = draw_motion(Variation("plain"), np.random.default_rng(0))
    assert replace(motion, seed=3) == STILL
    np.testing.assert_allclose(displace(retime(poses, motion), motion).keypoints, poses.keypoints, atol=1e-4)


def test_draws_stay_within_the_limits_and_use_them() -> None:
    variation = Variation("v", tempo=0.2, rotation=5, scale=0.1, shift=0.3)
    rng = np.random.default_rng(0)
    drawn = [draw_motion(variation, rng) for _ in range(500)]
    for values, low, high in (
        ([m.tempo for m in drawn], 1 / 1.2, 1.2),
        ([m.rotation for m in drawn], -5, 5),
        ([m.scale for m in drawn], 1 / 1.1, 1.1),
        ([m.shift[0] for m in drawn], -0.3, 0.3),
    ):
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < max(values) <= high


def test_mirror_exchanges_the_hands(poses: PoseSequence) -> None:
    mirrored = retime(poses, replace(STILL, mirror=True))
    expected = poses.keypoints[:, LEFT_HAND].copy()
    expected[..., 0] = 64 - expected[..., 0]
    np.testing.assert_allclose(mirrored.keypoints[:, RIGHT_HAND], expected)


def test_tempo_and_frame_rate(poses: PoseSequence) -> None:
    faster = retime(poses, replace(STILL, tempo=1.25))
    assert (len(faster), faster.fps) == (32, 25)
    np.testing.assert_allclose(faster.positions[8], poses.positions[10], atol=1e-4)
    slower = retime(poses, replace(STILL, tempo=0.8), fps=12.5)
    assert (len(slower), slower.fps) == (25, 12.5)
    np.testing.assert_allclose(slower.positions[5], poses.positions[8], atol=1e-4)


def test_turned_and_scaled_about_the_neck(poses: PoseSequence) -> None:
    poses = poses[:1]
    moved = displace(poses, replace(STILL, rotation=90, scale=2, shift=(0.5, 0)))
    # from 10 right of the neck (32, 30) to 20 below it, and half a shoulder width of 20 to the right
    np.testing.assert_allclose(moved.positions[0, 5], (32 + 10, 30 + 20), atol=1e-4)


def test_noise_is_slow_and_of_the_size_asked_for() -> None:
    noise = wandering(4000, 3, 25.0, np.random.default_rng(0))
    assert noise.std() == pytest.approx(1, abs=0.1)
    assert np.diff(noise, axis=0).std() < 0.25
    assert wandering(1, 2, 1.0, np.random.default_rng(0)).shape == (1, 2, 2)


@pytest.mark.parametrize("seed", range(5))
def test_handshapes_stay(poses: PoseSequence, seed: int) -> None:
    moved = displace(poses, replace(STILL, noise=0.2, hand_noise=0.2, seed=seed))
    assert np.abs(moved.positions - poses.positions).max() > 1
    for hand, wrist in ((LEFT_HAND, 9), (RIGHT_HAND, 10)):
        before, after = (p.positions[:, hand].astype(float) for p in (poses, moved))
        bones = [points[:, HAND_BONES[:, 1]] - points[:, HAND_BONES[:, 0]] for points in (before, after)]
        cosine = (bones[0] * bones[1]).sum(-1) / np.prod([np.linalg.norm(b, axis=-1) for b in bones], axis=0)
        assert np.rad2deg(np.arccos(cosine.clip(-1, 1))).max() < HANDSHAPE_DEGREES + 0.1
        shift = [p[:, 0] - q.positions[:, wrist] for p, q in ((before, poses), (after, moved))]
        np.testing.assert_allclose(*shift, atol=1e-3)  # the hand stays at its wrist


def test_missing_points_stay_missing(poses: PoseSequence) -> None:
    keypoints = poses.keypoints.copy()
    keypoints[:, 100] = 0
    moved = displace(replace(poses, keypoints=keypoints), replace(STILL, rotation=5, noise=0.1, hand_noise=0.1))
    assert not moved.keypoints[:, 100].any()
    keypoints[:, 5] = 0
    with pytest.raises(UserError, match="both shoulders"):
        displace(replace(poses, keypoints=keypoints), STILL)


def test_limits_are_checked() -> None:
    with pytest.raises(UserError, match=r"variation v: rotation is 90, not from 0 to 30"):
        Variation("v", rotation=90)
