"""What the metrics share.

Named quantities, the checks on frames, and sums and counts for those that average.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torchmetrics import Metric

from signgen.errors import UserError


@dataclass(frozen=True)
class Quantity:
    """One number that a metric reports.

    `better` says which way is better ("" = neither, context for another number), `per` what it is averaged
    over, and `protocol` everything a reader needs in order to reproduce it. A `detail` of another number
    stays out of tables and plots.
    """

    name: str
    protocol: str
    better: Literal["higher", "lower", "nearer to 0", ""] = ""
    unit: str = ""
    per: str = "frame"
    detail: bool = False


class FrameMetric(Metric):
    """What `evaluate` feeds: consecutive frames of one clip after the other.

    `update` takes uint8 (F, H, W, 3) frames twice and, for metrics with `needs_keypoints`, the reference's
    keypoints (F, 133, 3) in pixels of those frames. `compute` returns name -> value for each of `quantities`.
    `on_cpu`: whether its work is the CPU's, whatever its device.
    """

    full_state_update = False
    on_cpu = False
    needs_keypoints = False
    quantities: tuple[Quantity, ...] = ()

    def __init__(self, quantities: tuple[Quantity, ...]) -> None:
        super().__init__()
        self.quantities = quantities

    def add(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> None:
        """Take in frames that `update` has checked."""
        raise NotImplementedError

    def new_clip(self) -> None:
        """Call between clips: metrics over time must not compare across the cut."""

    def update(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None = None) -> None:
        check_frames(generated, reference)
        if self.needs_keypoints:
            keypoints = check_keypoints(keypoints, len(reference))
        self.add(generated, reference, keypoints)

    def reset(self) -> None:
        super().reset()
        self.new_clip()


class AveragedMetric(FrameMetric):
    """Sums and counts of the values that `measure` returns, so that batches and processes add up exactly.

    `compute` gives their means, NaN where nothing was counted.
    """

    total: Tensor
    count: Tensor

    def __init__(self, quantities: tuple[Quantity, ...]) -> None:
        super().__init__(quantities)
        for state in ("total", "count"):
            zeros = torch.zeros(len(quantities), dtype=torch.float64)
            self.add_state(state, zeros, dist_reduce_fx="sum")

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> Mapping[str, Tensor]:
        """Name of each quantity -> its values (any number of them) for these frames."""
        raise NotImplementedError

    def add(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> None:
        values = self.measure(generated, reference, keypoints)
        for i, quantity in enumerate(self.quantities):
            self.total[i] += values[quantity.name].double().sum()
            self.count[i] += values[quantity.name].numel()

    def compute(self) -> dict[str, Tensor]:
        means = self.total / self.count
        return {quantity.name: mean for quantity, mean in zip(self.quantities, means, strict=True)}


def check_frames(generated: Tensor, reference: Tensor) -> None:
    """Both must be uint8 (F, H, W, 3) of one shape, F >= 1; UserError otherwise."""
    for name, frames in (("generated", generated), ("reference", reference)):
        shape = tuple(frames.shape)
        if frames.dtype != torch.uint8 or len(shape) != 4 or shape[-1] != 3 or 0 in shape:
            raise UserError(f"{name} frames must be uint8 (frames, height, width, 3), not {frames.dtype} {shape}")
    if generated.shape != reference.shape:
        ours, theirs = tuple(generated.shape), tuple(reference.shape)
        raise UserError(f"generated frames have the shape {ours}, reference frames {theirs}")


def check_keypoints(keypoints: Tensor | None, frames: int) -> Tensor:
    """COCO-WholeBody keypoints (F, 133, 3); anything else is a UserError."""
    if keypoints is None:
        raise UserError("this metric needs the reference's keypoints")
    if keypoints.shape != (frames, 133, 3):
        raise UserError(f"keypoints must be ({frames}, 133, 3) for {frames} frames, not {tuple(keypoints.shape)}")
    return keypoints


def to_planes(frames: Tensor) -> Tensor:
    """uint8 (F, H, W, 3) -> float32 (F, 3, H, W), still 0..255."""
    return frames.permute(0, 3, 1, 2).float()
