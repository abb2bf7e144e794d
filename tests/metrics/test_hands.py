import pytest
import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.metrics import HandSSIM, hand_ssim, ssim
from signgen.metrics.hands import hand_patches, hand_present, patch_size


def test_patch_is_60_px_at_210_and_scales() -> None:
    assert [patch_size(width) for width in (210, 105, 420, 3)] == [60, 30, 120, 1]


def test_patch_inside_the_frame_is_a_plain_cut(reference: Tensor, keypoints: Tensor) -> None:
    patches = hand_patches(reference, keypoints, hand_present(keypoints, 130, 105), 30)
    assert patches.shape == (2 * len(reference) - 1, 30, 30, 3)
    assert torch.equal(patches[0], reference[0, 45:75, 25:55])


def test_patch_is_centred_on_the_pixel_that_holds_the_knuckle(reference: Tensor, keypoints: Tensor) -> None:
    keypoints = keypoints[:1].clone()
    keypoints[:, 100, :2] += 0.9
    patches = hand_patches(reference[:1], keypoints, hand_present(keypoints, 130, 105), 30)
    assert torch.equal(patches[0], reference[0, 45:75, 25:55])


def test_patch_at_the_border_repeats_it(reference: Tensor, keypoints: Tensor) -> None:
    patch = hand_patches(reference, keypoints, hand_present(keypoints, 130, 105), 30)[1]
    assert torch.equal(patch[:17], reference[0, 113:130, 55:85])
    assert torch.equal(patch[17:], reference[0, 129:130, 55:85].expand(13, 30, 3))


def test_hands_without_score_or_outside_or_not_a_number_are_absent(keypoints: Tensor) -> None:
    keypoints = keypoints.clone()
    keypoints[0, 100, 0] = -1
    keypoints[1, 100, 1] = float("nan")
    keypoints[2, 100, 0] = 105
    present = hand_present(keypoints, 130, 105)
    assert present[:4].tolist() == [[False, True], [False, True], [False, True], [True, False]]


def test_one_broken_hand_moves_hand_ssim_and_hardly_ssim(reference: Tensor, keypoints: Tensor) -> None:
    broken = reference.clone()
    broken[:, 50:70, 30:50] = broken[:, 50:70, 30:50].flip(1)
    assert ssim(broken, reference).mean() > 0.96
    scores = hand_ssim(broken, reference, keypoints[:1].expand(len(reference), -1, -1)).view(-1, 2)
    assert (scores[:, 0] < 0.6).all()
    assert scores[:, 1].tolist() == pytest.approx([1.0] * len(reference), abs=1e-6)


def test_skipped_hands_are_counted(reference: Tensor, keypoints: Tensor) -> None:
    metric = HandSSIM()
    metric.update(reference, reference, keypoints)
    assert metric.count.tolist() == [27, 28]
    assert metric.compute()["hand-ssim"] == pytest.approx(1)
    assert metric.compute()["hands-present"] == pytest.approx(27 / 28)


def test_no_hands_at_all_is_not_a_number(reference: Tensor) -> None:
    metric = HandSSIM()
    metric.update(reference, reference, torch.zeros(len(reference), 133, 3))
    assert metric.compute()["hand-ssim"].isnan()
    assert metric.compute()["hands-present"] == 0


def test_keypoints_are_checked(reference: Tensor, keypoints: Tensor) -> None:
    with pytest.raises(UserError, match="needs the reference's keypoints"):
        HandSSIM().update(reference, reference)
    with pytest.raises(UserError, match=r"must be \(14, 133, 3\) for 14 frames, not \(13, 133, 3\)"):
        HandSSIM().update(reference, reference, keypoints[1:])
