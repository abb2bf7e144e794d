from dataclasses import replace

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.poses import PoseSequence
from signgen.poses.sequence import cleaned


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"skeleton": "smpl"}, "unknown skeleton 'smpl'"),
        ({"size": (0, 260)}, "image size"),
        ({"size": (210.5, 260)}, "image size"),
        ({"size": (210, 70000)}, "image size"),
        ({"fps": 0.0}, "frames per second"),
        ({"fps": float("nan")}, "frames per second"),
        ({"fps": 1e9}, "frames per second"),
        ({"keypoints": np.zeros((0, 133, 3), np.float32)}, "empty"),
        ({"keypoints": np.zeros((2, 18, 3), np.float32)}, r"needs \(frames, 133, 3\)"),
        ({"keypoints": np.zeros((2, 133, 3))}, "float32"),
        ({"keypoints": np.full((2, 133, 3), np.nan, np.float32)}, "non-finite"),
        ({"keypoints": np.full((2, 133, 3), 2, np.float32)}, r"scores must lie in \[0, 1\]"),
    ],
)
def test_what_is_no_pose_sequence_is_refused(signer, change, message):
    with pytest.raises(UserError, match=message):
        replace(signer, **change)


def test_slices_keep_the_rest(signer):
    part = signer[2:5]
    assert len(part) == 3
    assert (part.keypoints == signer.keypoints[2:5]).all()
    assert (part.size, part.fps, part.skeleton) == (signer.size, signer.fps, signer.skeleton)


def test_an_empty_slice_is_refused(signer):
    with pytest.raises(UserError, match="frames 20:30 of 12 poses"):
        signer[20:30]


def test_transformed_scales_and_shifts_positions_only(signer):
    moved = signer.transformed(2, 3, 5, -7, (500, 800))
    assert np.allclose(moved.positions, signer.positions * (2, 3) + (5, -7))
    assert (moved.scores == signer.scores).all()
    assert moved.size == (500, 800)
    assert moved.keypoints.dtype == np.float32


def test_resampling_to_twice_the_rate_interpolates(signer):
    twice = signer.resampled(50)
    assert len(twice) == 24
    assert twice.fps == 50
    assert np.allclose(twice.keypoints[::2], signer.keypoints, atol=1e-4)
    assert np.allclose(twice.keypoints[1:22:2], (signer.keypoints[:-1] + signer.keypoints[1:]) / 2, atol=1e-4)


def test_resampling_to_the_same_rate_changes_nothing(signer):
    assert (signer.resampled(25).keypoints == signer.keypoints).all()


def test_resampling_never_mixes_a_missing_point_in(signer):
    keypoints = signer.keypoints.copy()
    keypoints[5, 10] = 0
    resampled = replace(signer, keypoints=keypoints).resampled(60)
    wrist = resampled.keypoints[:, 10]
    assert (wrist[wrist[:, 2] > 0, 0] == 70).all()
    assert (wrist[wrist[:, 2] == 0] == 0).all()
    assert (wrist[:, 2] == 0).any()


def test_flipping_mirrors_and_exchanges_the_sides(signer):
    flipped = signer.flipped()
    assert np.allclose(flipped.positions[:, 9], [210, 0] + signer.positions[:, 10] * [-1, 1])
    assert np.allclose(flipped.flipped().keypoints, signer.keypoints, atol=1e-4)


def test_flipping_leaves_missing_points_alone(signer):
    keypoints = signer.keypoints.copy()
    keypoints[:, 10] = 0
    assert (replace(signer, keypoints=keypoints).flipped().keypoints[:, 9] == 0).all()


def test_cleaning_makes_garbage_missing():
    points = np.array([[[np.nan, 1, 1], [1, np.inf, 1], [1, 2, np.nan], [1e30, 1, 1], [3, 4, 1.5], [3, 4, -1]]])
    assert cleaned(points).tolist() == [[[0, 0, 0]] * 4 + [[3, 4, 1], [3, 4, 0]]]


def test_a_sequence_from_garbage_is_valid():
    raw = np.full((2, 133, 3), np.inf)
    assert not PoseSequence.from_raw(raw, (210, 260), 25, "coco-wholebody-133").present.any()
