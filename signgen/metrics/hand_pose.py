"""Hand PE: how far the generated hands' points are from the reference's, both found by the same estimator.

SignGAN's metric as FPDM reports it, its open ends fixed. Hands that the estimator does not find cannot be
compared; the share that it finds is reported beside, so that vanished hands do not improve the score
unseen.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from signgen.metrics.frame_metric import AveragedMetric, Quantity
from signgen.metrics.hand_estimators import JOINTS, MIDDLE_KNUCKLE, HandEstimator, MediaPipeHands
from signgen.metrics.hands import MIDDLE_KNUCKLES, hand_patches, hand_present, patch_corners, patch_size
from signgen.poses.skeletons import HAND_NAMES, LEFT_HAND, RIGHT_HAND

PARTS = {"wrist": slice(0, 1)} | {
    name: slice(1 + 4 * finger, 5 + 4 * finger)
    for finger, name in enumerate(("thumb", "index", "middle", "ring", "little"))
}
SINGLE_JOINTS = {name.replace("_", "-"): slice(joint, joint + 1) for joint, name in enumerate(HAND_NAMES) if joint}
CONTEXT = 2.5  # times the patch of Hand SSIM: MediaPipe does not find a hand that fills the image


def find_hands(frames: Tensor, keypoints: Tensor, estimator: HandEstimator) -> Tensor:
    """The points of the left and the right hand in each frame, float64 (F, 2, 21, 2) in its pixels, NaN if not found.

    Looked for around the reference's knuckle, in frames uint8 (F, H, W, 3); of several hands the one
    nearest to it counts, and none whose middle knuckle is outside the patch of Hand SSIM.
    """
    height, width = frames.shape[1:3]
    present = hand_present(keypoints, height, width)
    points = np.full((*present.shape, JOINTS, 2), np.nan)
    look = _in_frames if estimator.whole_frame else _in_patches
    found = look(frames, keypoints, present, estimator)
    for (frame, side), hands in zip(present.nonzero().tolist(), found, strict=True):
        knuckle = keypoints[frame, MIDDLE_KNUCKLES[side], :2].cpu().numpy()
        away = np.abs(hands[:, MIDDLE_KNUCKLE] - knuckle).max(-1)
        if len(hands) and away.min() < patch_size(width) / 2:
            points[frame, side] = hands[away.argmin()]
    return torch.from_numpy(points)


def _in_patches(frames: Tensor, keypoints: Tensor, present: Tensor, estimator: HandEstimator) -> Iterator[np.ndarray]:
    """All hands (N, 21, 2) found around each present one."""
    size = round(CONTEXT * patch_size(frames.shape[2]))
    patches = hand_patches(frames, keypoints, present, size).cpu().numpy()
    corners = patch_corners(keypoints, present, size).cpu().numpy()
    return (estimator(patch) + corner for patch, corner in zip(patches, corners, strict=True))


def _in_frames(frames: Tensor, keypoints: Tensor, present: Tensor, estimator: HandEstimator) -> Iterator[np.ndarray]:
    """All hands (N, 21, 2) found in the frame of each present one."""
    for frame, hands in zip(frames.cpu().numpy(), present.sum(1).tolist(), strict=True):
        if hands:
            yield from [estimator(frame)] * hands


def driving_hands(keypoints: Tensor) -> Tensor:
    """The driving pose's own points of both hands, float64 (F, 2, 21, 2), NaN where it has none."""
    hands = keypoints[:, LEFT_HAND.start : RIGHT_HAND.stop].cpu().double().unflatten(1, (2, JOINTS))
    return hands[..., :2].where(hands[..., 2:] > 0, torch.nan)


def jitter(hands: Tensor) -> Tensor:
    """Size of the joints' acceleration, in pixels per frame squared: (F, hands, 21, 2) -> (F - 2, hands, 21).

    NaN where a joint is not known in three frames running.
    """
    return (hands[2:] - 2 * hands[1:-1] + hands[:-2]).norm(dim=-1)


class HandPE(AveragedMetric):
    """Distance of hand points, share of hands found, and hand jitter beside the driving pose's and the reference's."""

    needs_keypoints = True

    def __init__(self, estimator: Callable[[], HandEstimator] = MediaPipeHands) -> None:
        self.estimator = estimator()
        self.on_cpu = self.estimator.on_cpu
        super().__init__(
            (
                Quantity("hand-pe", f"mean Euclidean, by {self.estimator.name}", "lower", "px", "joint"),
                Quantity("hand-pe-l1", "the same as |dx| + |dy|", "lower", "px", "joint"),
                *(Quantity(f"hand-pe-{part}", "hand-pe of these joints", "lower", "px", "joint") for part in PARTS),
                *(
                    Quantity(f"hand-pe-{joint}", "hand-pe of this joint", "lower", "px", "joint", detail=True)
                    for joint in SINGLE_JOINTS
                ),
                Quantity("hands-found", "hands found near the reference's middle knuckle", "higher", "", "hand"),
                Quantity("hands-found-reference", "the same in the reference", "", "", "hand"),
                Quantity("hand-jitter-excess", "hand-jitter minus the driving pose's", "nearer to 0", "px", "joint"),
                Quantity("hand-jitter", "mean acceleration of the joints", "", "px", "joint"),
                Quantity("hand-jitter-reference", "the same of the reference", "", "px", "joint"),
            )
        )
        self.new_clip()

    def new_clip(self) -> None:
        # The last two frames of generated, reference and driving hands.
        self._before = torch.zeros(3, 0, 2, JOINTS, 2, dtype=torch.float64)

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        assert keypoints is not None  # update has checked
        present = hand_present(keypoints, *reference.shape[1:3]).cpu()
        hands = torch.stack([find_hands(f, keypoints, self.estimator) for f in (generated, reference)])
        driving = driving_hands(keypoints)
        difference = hands[0] - hands[1]
        difference = difference[~difference.isnan().flatten(2).any(-1)]  # (hands found in both, 21, 2)
        run = torch.cat([self._before, torch.cat([hands, driving[None]])], 1)
        self._before = run[:, -2:]
        ours, theirs, wanted = (jitter(frames) for frames in run)
        jitters = {"hand-jitter-excess": ours - wanted, "hand-jitter": ours, "hand-jitter-reference": theirs}
        found, found_reference = (~clip[present][:, 0, 0].isnan() for clip in hands)
        by_joint = {
            f"hand-pe-{name}": difference[:, joints].norm(dim=-1) for name, joints in (PARTS | SINGLE_JOINTS).items()
        }
        return by_joint | {
            "hand-pe": difference.norm(dim=-1),
            "hand-pe-l1": difference.abs().sum(-1),
            "hands-found": found,
            "hands-found-reference": found_reference,
            **{name: values[~values.isnan()] for name, values in jitters.items()},
        }
