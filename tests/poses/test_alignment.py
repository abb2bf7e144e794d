from dataclasses import replace

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.poses import align, convert


@pytest.fixture
def other(signer):
    """The same movements by someone smaller, elsewhere, in another image."""
    return signer.transformed(0.5, 0.5, 400, 30, (640, 480))


def test_a_scaled_and_shifted_signer_is_brought_back(signer, other):
    aligned = align(other, signer)
    assert np.allclose(aligned.keypoints, signer.keypoints, atol=1e-2)
    assert aligned.size == signer.size


def test_the_same_works_for_18_points(signer, other):
    poses, reference = convert(other, "openpose-18"), convert(signer, "openpose-18")
    assert np.allclose(align(poses, reference).keypoints, reference.keypoints, atol=1e-2)
    assert np.allclose(align(poses[:1], reference, bones=True).keypoints, reference[:1].keypoints, atol=1e-2)


def test_shoulders_of_the_reference_are_met_exactly(signer, other):
    keypoints = signer.keypoints.copy()
    keypoints[0, [5, 6], 0] += [10, -10]
    aligned = align(other, replace(signer, keypoints=keypoints))
    assert np.allclose(aligned.positions[:, [5, 6]], keypoints[0, [5, 6], :2], atol=1e-2)


def test_bones_take_the_references_proportions(signer, other):
    """Signers whose forearms are 10 % longer: so is the result's, and the hand goes with it."""
    keypoints = signer.keypoints.copy()
    group = [9, *range(91, 112)]
    keypoints[:, group, :2] += 0.1 * (keypoints[:, [9], :2] - keypoints[:, [7], :2])
    reference = replace(signer, keypoints=keypoints)
    assert np.allclose(align(other, reference, bones=True).positions[:, group], keypoints[:, group, :2], atol=1e-2)
    assert not np.allclose(align(other, reference).positions[:, group], keypoints[:, group, :2], atol=1)


def test_bones_that_look_too_short_are_not_believed(signer, other):
    keypoints = signer.keypoints.copy()
    keypoints[:, 9, :2] = keypoints[:, 7, :2] + 1  # an arm that points to the camera
    aligned = align(other, replace(signer, keypoints=keypoints), bones=True)
    forearm = np.linalg.norm(aligned.positions[:, 9] - aligned.positions[:, 7], axis=1)
    full = np.linalg.norm(signer.positions[:, 9] - signer.positions[:, 7], axis=1)
    assert np.allclose(forearm, 0.8 * full, atol=0.1)


def test_bones_the_reference_does_not_show_are_left(signer, other):
    keypoints = signer.keypoints.copy()
    keypoints[:, 10] = 0
    aligned = align(other, replace(signer, keypoints=keypoints), bones=True)
    assert np.allclose(aligned.keypoints, signer.keypoints, atol=1e-2)


def test_missing_points_stay_missing(signer, other):
    keypoints = other.keypoints.copy()
    keypoints[4, 91:112] = 0
    aligned = align(replace(other, keypoints=keypoints), signer, bones=True)
    assert not aligned.present[4, 91:112].any()
    assert np.isfinite(aligned.keypoints).all()


def test_without_shoulders_it_is_refused(signer, other):
    keypoints = signer.keypoints.copy()
    keypoints[0, 5] = 0
    with pytest.raises(UserError, match="the reference pose: no frame shows both shoulders"):
        align(other, replace(signer, keypoints=keypoints))
    with pytest.raises(UserError, match="cannot be aligned to one of openpose-18"):
        align(other, convert(signer, "openpose-18"))
