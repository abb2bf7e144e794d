"""Scores of generated frames against reference frames: a function and an accumulating class per metric.

Frames are uint8 (F, H, W, 3) torch tensors, keypoints float (F, 133, 3) in pixels of those frames. The
classes are torchmetrics metrics: they sum over batches and over processes.
"""

from collections.abc import Callable
from functools import partial

from signgen.metrics.averages import AveragedMetric, Quantity
from signgen.metrics.hands import HandSSIM, hand_ssim
from signgen.metrics.psnr import PSNR, psnr
from signgen.metrics.ssim import SSIM, ssim

METRICS: dict[str, Callable[[], AveragedMetric]] = {
    "ssim": SSIM,
    "ssim-51": partial(SSIM, "uniform51"),
    "psnr": PSNR,
    "hand-ssim": HandSSIM,
}
DEFAULT_METRICS = ("ssim", "psnr", "hand-ssim")

__all__ = [
    "DEFAULT_METRICS",
    "METRICS",
    "PSNR",
    "SSIM",
    "AveragedMetric",
    "HandSSIM",
    "Quantity",
    "hand_ssim",
    "psnr",
    "ssim",
]
