"""Poses that cannot be seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from signgen.errors import InputWarning, UserError
from signgen.poses import PoseSequence, write_poses
from signgen.poses.driving import driving_poses
from signgen.poses.visibility import check_visible, with_bodies

IMAGE = np.zeros((260, 210, 3), np.uint8)


def test_what_lies_in_the_image_passes(signer: PoseSequence) -> None:
    check_visible(signer)
    assert with_bodies(signer) is signer


def test_poses_of_a_larger_image_are_refused_with_their_place(tmp_path: Path, signer: PoseSequence) -> None:
    np.save(tmp_path / "large.npy", signer.scaled_to((1280, 720)).keypoints)
    with pytest.raises(UserError, match=r"large\.npy: \d+% .* outside the image of 210x260 \(x \d+ to \d+, y \d+ to"):
        driving_poses(tmp_path / "large.npy", IMAGE, lambda frames, *_: frames)
    poses, _ = driving_poses(tmp_path / "large.npy", IMAGE, lambda frames, *_: frames, pose_size=(1280, 720))
    assert poses.size == (1280, 720)


def test_legs_below_the_image_do_not_count(signer: PoseSequence) -> None:
    keypoints = signer.keypoints.copy()
    keypoints[:, 11:23, 1] += 500
    check_visible(replace(signer, keypoints=keypoints))


def test_resting_hands_below_the_image_are_usual(signer: PoseSequence, recwarn: pytest.WarningsRecorder) -> None:
    keypoints = signer.keypoints.copy()
    keypoints[:, 91:, 1] = np.linspace(262, 295, 42)
    check_visible(replace(signer, keypoints=keypoints))
    assert not list(recwarn)


def test_a_part_outside_is_said(signer: PoseSequence) -> None:
    keypoints = signer.keypoints.copy()
    keypoints[:, 91:, 1] += 300
    with pytest.warns(InputWarning, match="35% of the points lie outside the image of 210x260"):
        check_visible(replace(signer, keypoints=keypoints))


def test_nobody_is_refused(signer: PoseSequence) -> None:
    nobody = replace(signer, keypoints=signer.keypoints * np.float32((1, 1, 0)))
    with pytest.raises(UserError, match="nobody is in any of the 12 frames"):
        check_visible(nobody)


def test_frames_without_a_body_are_counted_filled_and_held(tmp_path: Path, signer: PoseSequence) -> None:
    keypoints = signer.keypoints.copy()
    keypoints[[0, 3, 4]] = 0
    keypoints[6:12, :, 2] = 0.01  # longer than is interpolated, and to the end
    write_poses(replace(signer, keypoints=keypoints), tmp_path / "gaps.npz")
    with pytest.warns(InputWarning, match=r"gaps\.npz: 9 of 12 frames have no body"):
        poses, _ = driving_poses(tmp_path / "gaps.npz", IMAGE, lambda frames, *_: frames)
    wrist, true = poses.keypoints[:, 10, 1], signer.keypoints[:, 10, 1]
    assert wrist[:6] == pytest.approx([true[1], *true[1:6]], abs=1e-3)
    assert wrist[6:] == pytest.approx(np.full(6, true[5]))
    assert (poses.scores[:, :17] > 0.5).all()
    with pytest.warns(InputWarning):
        part, _ = driving_poses(tmp_path / "gaps.npz", IMAGE, lambda frames, *_: frames, frames=slice(3, 5))
    assert np.array_equal(part.keypoints, poses.keypoints[3:5])


def test_hands_alone_are_said_to_be_so(signer: PoseSequence) -> None:
    keypoints = signer.keypoints.copy()
    keypoints[:, :91] = 0
    with pytest.warns(InputWarning, match="no frame shows a body"):
        with_bodies(replace(signer, keypoints=keypoints))
