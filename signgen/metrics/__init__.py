"""Scores of generated frames against reference frames: a function and an accumulating class per metric.

Frames are uint8 (F, H, W, 3) torch tensors, keypoints float (F, 133, 3) in pixels of those frames. The
classes are torchmetrics metrics: they sum over batches and over processes.
"""

from collections.abc import Callable
from functools import partial

from signgen.metrics.frame_metric import AveragedMetric, FrameMetric, Quantity
from signgen.metrics.frechet import FID, FVD, FeatureDistance
from signgen.metrics.hand_pose import HandPE
from signgen.metrics.hands import HandSSIM, hand_ssim
from signgen.metrics.lpips import LPIPS, LegacyLPIPS, lpips
from signgen.metrics.pose_error import PoseError
from signgen.metrics.psnr import PSNR, psnr
from signgen.metrics.retrieval import Retrieval, retrieval_ranks
from signgen.metrics.ssim import SSIM, ssim
from signgen.metrics.temporal import TCD, TLPIPS, Flicker, WarpingError, tcd

METRICS: dict[str, Callable[..., FrameMetric]] = {
    "ssim": SSIM,
    "ssim-51": partial(SSIM, "uniform51"),
    "psnr": PSNR,
    "lpips-alex": partial(LPIPS, "alex"),
    "lpips-vgg": partial(LPIPS, "vgg"),
    "hand-ssim": HandSSIM,
    "hand-pe": HandPE,
    "pose-error": PoseError,
    "flicker": Flicker,
    "tcd": TCD,
    "warping-error": WarpingError,
    "tlpips": TLPIPS,
    "fid": FID,
    "fid-torchvision": partial(FID, variant="torchvision"),
    "fvd": FVD,
    "lpips-legacy-pcdms": LegacyLPIPS,
    "ssim-legacy": partial(SSIM, "legacy"),
    "ssim-legacy-pcdms": partial(SSIM, "legacy-pcdms"),
}
# The network whose weights a metric takes as `weights`, a path.
NETWORKS = {
    "lpips-alex": "alexnet",
    "lpips-vgg": "vgg16",
    "lpips-legacy-pcdms": "alexnet",
    "tlpips": "alexnet",
    "fid": "inception",
    "fid-torchvision": "inception-torchvision",
    "fvd": "i3d",
    "hand-pe": "hrnet-wholebody",
}
# What needs nothing but signgen itself.
DEFAULT_METRICS = ("ssim", "psnr", "hand-ssim", "flicker", "tcd")

__all__ = [
    "DEFAULT_METRICS",
    "FID",
    "FVD",
    "LPIPS",
    "METRICS",
    "NETWORKS",
    "PSNR",
    "SSIM",
    "TCD",
    "TLPIPS",
    "AveragedMetric",
    "FeatureDistance",
    "Flicker",
    "FrameMetric",
    "HandPE",
    "HandSSIM",
    "LegacyLPIPS",
    "PoseError",
    "Quantity",
    "Retrieval",
    "WarpingError",
    "hand_ssim",
    "lpips",
    "psnr",
    "retrieval_ranks",
    "ssim",
    "tcd",
]
