"""Scores of how a clip changes from frame to frame: flicker, warping error, TCD, tLPIPS.

A still image is perfectly steady, so each value stands beside the reference's own: nearer to it is better.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from signgen.metrics.frame_metric import AveragedMetric, Quantity
from signgen.metrics.lpips import Backbone, lpips, lpips_network
from signgen.metrics.optical_flow import require_opencv, warp_to_next
from signgen.poses import draw_pose

BODY_MARGIN = 1 / 7  # of the frame's width around the drawn pose counts as signer: it covers torso, hair and clothes
BLOCK = 4  # pixels: the background is told from the signer in blocks
TCD_THRESHOLD = 0.5


class TemporalMetric(AveragedMetric):
    """Keeps the last `memory` frames, so that chunks of a clip add up as the whole clip does."""

    memory = 1

    def __init__(self, quantities: tuple[Quantity, ...]) -> None:
        super().__init__(quantities)
        self.new_clip()

    def new_clip(self) -> None:
        self._before: tuple[Tensor | None, ...] | None = None

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> Mapping[str, Tensor]:
        frames: tuple[Tensor | None, ...] = (generated, reference, keypoints)
        if self._before is not None:
            both = zip(self._before, frames, strict=True)
            frames = tuple(None if b is None or a is None else torch.cat([a, b]) for a, b in both)
        self._before = tuple(None if tensor is None else tensor[-self.memory :] for tensor in frames)
        return self.measure_steps(*frames)  # type: ignore[arg-type]

    @abstractmethod
    def measure_steps(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        """As `measure`, for every run of `memory` + 1 consecutive frames."""


def background(keypoints: Tensor, height: int, width: int) -> Tensor:
    """(F, 133, 3) -> bool (F, H, W): farther than a seventh of the width from the drawn pose, in blocks of 4 pixels.

    False everywhere in a frame without a pose: nothing is known to be background there.
    """
    pose_maps = torch.stack([torch.from_numpy(draw_pose(points.cpu().numpy(), height, width)) for points in keypoints])
    away = away_from_pose(pose_maps.to(keypoints.device), BODY_MARGIN)
    return away.repeat_interleave(BLOCK, 1).repeat_interleave(BLOCK, 2)[:, :height, :width]


def away_from_pose(pose_maps: Tensor, margin: float) -> Tensor:
    """Blocks of 4 x 4 pixels farther than `margin`, a share of the width, from what is drawn.

    pose_maps: uint8 (B, H, W, 3). Returns bool (B, ceil(H / 4), ceil(W / 4)), nowhere true where nothing is drawn.
    """
    drawn = (pose_maps.amax(-1) > 0).float()[:, None]
    signer = functional.max_pool2d(drawn, BLOCK, ceil_mode=True)
    reach = math.ceil(pose_maps.shape[2] * margin / BLOCK)
    for rows, columns in ((reach, 0), (0, reach)):
        signer = functional.max_pool2d(signer, (2 * rows + 1, 2 * columns + 1), 1, (rows, columns))
    return ((signer == 0) & (drawn.amax((2, 3), keepdim=True) > 0))[:, 0]


def change(frames: Tensor, where: Tensor) -> Tensor:
    """Mean absolute difference of each frame to the one before, in levels of 255.

    (F, H, W, 3), bool (F - 1, H, W) -> float64 (F - 1,), NaN where `where` is nowhere true.
    """
    values = frames.short()
    difference = (values[1:] - values[:-1]).abs_().sum(-1, dtype=torch.int16)
    return (difference * where).sum((1, 2)).double() / (3 * where.sum((1, 2)))


class Flicker(TemporalMetric):
    """Change from frame to frame in the background, where the reference has none but noise."""

    needs_keypoints = True

    def __init__(self) -> None:
        what = "mean absolute change to the frame before, outside a seventh of the width around the pose"
        super().__init__(
            (
                Quantity("flicker-excess", "flicker minus the reference's", "nearer to 0", "levels", per="step"),
                Quantity("flicker", what, "", "levels", per="step"),
                Quantity("flicker-reference", "the same of the reference", "", "levels", per="step"),
            )
        )

    def measure_steps(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        assert keypoints is not None  # update has checked
        outside = background(keypoints, *reference.shape[1:3])
        both = outside[1:] & outside[:-1]
        known = both.any(2).any(1)
        ours, theirs = (change(frames, both)[known] for frames in (generated, reference))
        return {"flicker-excess": ours - theirs, "flicker": ours, "flicker-reference": theirs}


def tcd(frames: Tensor, threshold: float = TCD_THRESHOLD) -> Tensor:
    """PGMM's temporal consistency: the share of pixels that differ from the mean of their two neighbours in time.

    (F, H, W, 3) -> float64 (F - 2,). The paper leaves the scale open: here levels of 255, mean over R, G, B.
    """
    planes = frames.float()
    deviation = (planes[1:-1] - (planes[:-2] + planes[2:]) / 2).abs().mean(-1)
    return (deviation > threshold).double().mean((1, 2))


class TCD(TemporalMetric):
    """Mean of `tcd` over a clip's inner frames."""

    memory = 2

    def __init__(self) -> None:
        what = f"share of pixels over {TCD_THRESHOLD} of 255 levels off their neighbours in time"
        super().__init__(
            (
                Quantity("tcd", f"{what}; compare with the reference's", "", per="inner frame"),
                Quantity("tcd-reference", "the same of the reference", "", per="inner frame"),
            )
        )

    def measure_steps(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        return {"tcd": tcd(generated), "tcd-reference": tcd(reference)}


class WarpingError(TemporalMetric):
    """How far each generated frame is from the one before, moved along the reference's optical flow."""

    on_cpu = True

    def __init__(self) -> None:
        require_opencv()
        what = "mean absolute difference to the frame before, warped by the reference's flow (DIS), not occluded"
        super().__init__(
            (
                Quantity("warping-error", what, "lower", "levels", per="step"),
                Quantity("warping-error-reference", "the same of the reference", "", "levels", per="step"),
            )
        )

    def measure_steps(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        (ours, theirs), visible = warp_to_next((generated, reference), reference)
        errors = {"warping-error": (ours, generated), "warping-error-reference": (theirs, reference)}
        return {name: self._error(warped, frames[1:], visible) for name, (warped, frames) in errors.items()}

    @staticmethod
    def _error(warped: Tensor, frames: Tensor, visible: Tensor) -> Tensor:
        difference = (warped.float() - frames.float()).abs().mean(-1, dtype=torch.float64)
        seen = visible.sum((1, 2))
        return ((difference * visible).sum((1, 2)) / seen)[seen > 0]


class TLPIPS(TemporalMetric):
    """How much more or less each frame changes, perceptually, than the reference does (TecoGAN's tLP)."""

    def __init__(self, backbone: Backbone = "alex", weights: Path | None = None) -> None:
        lpips_network(backbone, weights)
        what = f"|LPIPS-{backbone} of consecutive generated frames - the same of the reference|"
        super().__init__((Quantity("tlpips", what, "lower", per="step"),))
        self.backbone, self.weights = backbone, weights

    def measure_steps(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        if len(generated) < 2:
            return {"tlpips": generated.new_zeros(0, dtype=torch.float64)}
        ours, theirs = (
            lpips(frames[1:], frames[:-1], self.backbone, self.weights) for frames in (generated, reference)
        )
        return {"tlpips": (ours - theirs).abs()}
