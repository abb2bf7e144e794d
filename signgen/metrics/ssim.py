"""Structural similarity (Wang et al. 2004), the windows that the field reports, and two quirks of published codes."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from signgen.errors import UserError
from signgen.metrics.frame_metric import AveragedMetric, Quantity, to_planes
from signgen.runtime.device import full_precision

Window = Literal["gaussian", "uniform51", "legacy", "legacy-pcdms"]

WINDOWS: dict[str, str] = {
    "gaussian": "Gaussian window, sigma 1.5, 11 px, population covariance, RGB, data range 255, border cropped",
    "uniform51": "uniform window of 51 px, sample covariance, RGB, data range 255, border cropped",
    "legacy": "as ssim, but the data range is the generated frame's own (SSIM_256 in the codes of FPDM and CFLD)",
    "legacy-pcdms": "as ssim-legacy, with sigma 1.2, 9 px (SSIM_256 in the code of PCDMs)",
}
NAMES = {"gaussian": "ssim", "uniform51": "ssim-51", "legacy": "ssim-legacy", "legacy-pcdms": "ssim-legacy-pcdms"}
RADII = {"gaussian": (1.5, 5), "legacy": (1.5, 5), "legacy-pcdms": (1.2, 4)}  # sigma, pixels to either side
PEAK = 255.0
BLOCK = 32
CACHED_FRAMES, DEVICE_FRAMES = 2, 32


def ssim(generated: Tensor, reference: Tensor, window: Window = "gaussian") -> Tensor:
    """SSIM of each frame: uint8 (F, H, W, 3) twice -> float64 (F,).

    Data range 255, mean over R, G, B and over the pixels whose window lies inside the frame; this is
    scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False` or with `win_size=51`. The legacy windows take the span of the generated frame's values
    as data range (at least 1), so that a pale image is scored by another scale than its reference. Raises UserError
    where a frame is smaller than the window.
    """
    weights = window_weights(window).to(generated.device)
    check_window(generated.shape[1:3], weights)
    # A few frames at a time stay in a processor's cache.
    count = CACHED_FRAMES if generated.device.type == "cpu" else DEVICE_FRAMES
    pairs = zip(generated.split(count), reference.split(count), strict=True)
    legacy, sample = window.startswith("legacy"), window == "uniform51"
    scores = [_ssim(to_planes(a), to_planes(b), weights, sample, span(a) if legacy else PEAK) for a, b in pairs]
    return torch.cat(scores)


def image_ssim(images: Tensor, target: Tensor) -> Tensor:
    """SSIM of each image as a function to train by: float (B, 3, H, W) in [0, 1] twice -> float64 (B,), with gradients.

    It is what `ssim` gives for the same images as uint8 frames. Raises UserError as `ssim` does.
    """
    weights = window_weights("gaussian").to(images.device)
    check_window(images.shape[-2:], weights)
    return _ssim(PEAK * images.float(), PEAK * target.float(), weights, sample=False, peak=PEAK)


def check_window(size: Sequence[int], weights: Tensor) -> None:
    """Raise UserError where an image of size (height, width) is smaller than the window."""
    height, width = size
    if min(height, width) < len(weights):
        raise UserError(f"SSIM needs frames of at least {len(weights)} px a side, these are {width}x{height}")


def span(frames: Tensor) -> Tensor:
    """From the least to the greatest value of each frame, at least 1: uint8 (F, H, W, 3) -> float32 (F, 1, 1, 1)."""
    values = frames.flatten(1).float()
    return (values.amax(1) - values.amin(1)).clamp(min=1)[:, None, None, None]


def _ssim(generated: Tensor, reference: Tensor, weights: Tensor, sample: bool, peak: Tensor | float) -> Tensor:
    """SSIM (F,) of float32 planes (F, 3, H, W) from 0 to 255, by the window `weights` along each axis."""
    middle = PEAK / 2
    x, y = generated - middle, reference - middle  # centred: squares keep more digits
    maps = torch.stack([x, y, x * x + y * y, x * y])
    with full_precision(maps.device):  # variances are small differences: bfloat16 leaves nothing of them
        mean_x, mean_y, squares, products = slide(slide(maps, weights).mT, weights)
    mean_squares, mean_products = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
    unbiased = len(weights) ** 2 / (len(weights) ** 2 - 1) if sample else 1.0
    variances, covariance = (squares - mean_squares) * unbiased, (products - mean_products) * unbiased
    back = middle * (mean_x + mean_y) + middle**2  # what the shift by `middle` took from the product of the means
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    alike = (2 * (mean_products + back) + c1) * (2 * covariance + c2)
    apart = (mean_squares + 2 * back + c1) * (variances + c2)
    return (alike / apart).mean(dim=(1, 2, 3), dtype=torch.float64)


def window_weights(window: Window) -> Tensor:
    """The window along one axis, float32 (size,), sums to one."""
    if window == "uniform51":
        return torch.full((51,), 1 / 51)
    if window not in RADII:
        raise UserError(f"unknown SSIM window {window!r}: use one of {', '.join(WINDOWS)}")
    sigma, radius = RADII[window]
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    weights = torch.exp(-(offsets**2) / (2 * sigma**2))
    return (weights / weights.sum()).float()


def slide(maps: Tensor, weights: Tensor) -> Tensor:
    """Slide the window along the last axis, without padding: (..., W) -> (..., W - len(weights) + 1).

    In blocks of 32 results, each block a product with one small banded matrix: on a CPU several times as fast as
    torch's convolution of one channel.
    """
    results = maps.shape[-1] - len(weights) + 1
    blocks = -(-results // BLOCK)
    span = BLOCK + len(weights) - 1
    band = torch.zeros(span, BLOCK, device=maps.device)
    for offset, weight in enumerate(weights):
        band.diagonal(-offset).copy_(weight.expand(BLOCK))
    padded = functional.pad(maps, (0, blocks * BLOCK - results))
    windows = padded.unfold(-1, span, BLOCK)  # (..., blocks, span)
    slid = windows.reshape(-1, span) @ band
    return slid.view(*maps.shape[:-1], blocks * BLOCK)[..., :results]


class SSIM(AveragedMetric):
    """Mean of `ssim` over frames."""

    def __init__(self, window: Window = "gaussian") -> None:
        super().__init__((Quantity(NAMES[window], WINDOWS[window], better="higher"),))
        self.window = window

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        return {self.quantities[0].name: ssim(generated, reference, self.window)}
