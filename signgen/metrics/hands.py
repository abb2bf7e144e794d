"""Hand SSIM: SSIM on a patch around each hand of the reference (SignGAN's metric, its open ends fixed)."""

import torch
from torch import Tensor

from signgen.metrics.frame_metric import AveragedMetric, Quantity
from signgen.metrics.ssim import ssim

MIDDLE_KNUCKLES = (100, 121)  # COCO-WholeBody: base joint of the left and right middle finger
PATCH = 60  # px of a frame that is 210 px wide, as Phoenix-2014T is
PATCH_WIDTH = 210


def patch_size(width: int) -> int:
    """Side of a hand patch for frames of this width: 60 px at 210, and in proportion."""
    return max(1, round(PATCH * width / PATCH_WIDTH))


def hand_present(keypoints: Tensor, height: int, width: int) -> Tensor:
    """(F, 133, 3) -> bool (F, 2), left and right.

    The middle knuckle has a score and lies inside the frame.
    """
    x, y, score = keypoints[:, MIDDLE_KNUCKLES, :].unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)  # false for NaN
    return (score > 0) & inside


def patch_corners(keypoints: Tensor, present: Tensor, size: int) -> Tensor:
    """Upper left corners x, y (hands, 2) of patches of `size` centred on the pixels that hold the middle knuckles."""
    return keypoints[:, MIDDLE_KNUCKLES, :2][present].floor().long() - size // 2


def hand_patches(frames: Tensor, keypoints: Tensor, present: Tensor, size: int) -> Tensor:
    """uint8 (F, H, W, 3), keypoints (F, 133, 3), `hand_present` -> uint8 (hands, size, size, 3).

    Centred on the middle knuckle; what lies outside the frame repeats its border. Order: frame by frame, left
    before right, present hands only.
    """
    height, width = frames.shape[1:3]
    corners = patch_corners(keypoints, present, size)
    offsets = torch.arange(size, device=frames.device)
    columns = (corners[:, :1] + offsets).clamp_(0, width - 1)
    rows = (corners[:, 1:] + offsets).clamp_(0, height - 1)
    frame = present.nonzero()[:, :1, None]
    return frames[frame, rows[:, :, None], columns[:, None, :]]


def hand_ssim(generated: Tensor, reference: Tensor, keypoints: Tensor) -> Tensor:
    """Gaussian SSIM of each hand that the reference shows, float64 (hands,).

    Frames are uint8 (F, H, W, 3), keypoints (F, 133, 3), the reference's, in pixels of the frames. The same
    window is cut from both, around the reference's knuckle, so a hand in the wrong place scores low.
    """
    present = hand_present(keypoints, *reference.shape[1:3])
    if not present.any():
        return torch.zeros(0, dtype=torch.float64, device=reference.device)
    size = patch_size(reference.shape[2])
    ours, theirs = (hand_patches(frames, keypoints, present, size) for frames in (generated, reference))
    return ssim(ours, theirs)


class HandSSIM(AveragedMetric):
    """Mean of `hand_ssim` over hands and frames, and the share of the hands that could be scored."""

    needs_keypoints = True

    def __init__(self) -> None:
        patch = f"{PATCH} px at frame width {PATCH_WIDTH}, in proportion to it"
        protocol = f"Gaussian SSIM of a patch ({patch}) on the reference's middle knuckle, border repeated"
        super().__init__(
            (
                Quantity("hand-ssim", protocol, better="higher", per="hand"),
                Quantity(
                    "hands-present",
                    "hands whose middle knuckle is known and in the frame",
                    per="possible hand",
                ),
            )
        )

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        assert keypoints is not None  # update has checked
        present = hand_present(keypoints, *reference.shape[1:3])
        return {"hand-ssim": hand_ssim(generated, reference, keypoints), "hands-present": present.flatten()}
