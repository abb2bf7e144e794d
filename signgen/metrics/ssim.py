"""Structural similarity (Wang et al. 2004), the two windows that the field reports."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from signgen.errors import UserError
from signgen.metrics.averages import AveragedMetric, Quantity, to_planes

Window = Literal["gaussian", "uniform51"]

WINDOWS: dict[str, str] = {
    "gaussian": "Gaussian window, sigma 1.5, 11 px, population covariance",
    "uniform51": "uniform window of 51 px, sample covariance",
}
PEAK = 255.0
BLOCK = 32
CACHED_FRAMES = 2


def ssim(generated: Tensor, reference: Tensor, window: Window = "gaussian") -> Tensor:
    """SSIM of each frame: uint8 (F, H, W, 3) twice -> float64 (F,).

    Data range 255, mean over R, G, B and over the pixels whose window lies inside the frame; this is
    scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False` or with `win_size=51`. Raises UserError where a frame is smaller than the
    window.
    """
    weights = window_weights(window).to(generated.device)
    height, width = generated.shape[1:3]
    if min(height, width) < len(weights):
        raise UserError(f"SSIM needs frames of at least {len(weights)} px a side, these are {width}x{height}")
    # A few frames at a time stay in the processor's cache.
    pairs = zip(generated.split(CACHED_FRAMES), reference.split(CACHED_FRAMES), strict=True)
    return torch.cat([_ssim(ours, theirs, weights, sample=window == "uniform51") for ours, theirs in pairs])


def _ssim(generated: Tensor, reference: Tensor, weights: Tensor, sample: bool) -> Tensor:
    middle = PEAK / 2
    x, y = to_planes(generated) - middle, to_planes(reference) - middle  # centred: squares keep more digits
    maps = torch.stack([x, y, x * x + y * y, x * y])
    mean_x, mean_y, squares, products = slide(slide(maps, weights).mT, weights)
    mean_squares, mean_products = mean_x * mean_x + mean_y * mean_y, mean_x * mean_y
    unbiased = len(weights) ** 2 / (len(weights) ** 2 - 1) if sample else 1.0
    variances, covariance = (squares - mean_squares) * unbiased, (products - mean_products) * unbiased
    back = middle * (mean_x + mean_y) + middle**2  # what the shift by `middle` took from the product of the means
    c1, c2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
    alike = (2 * (mean_products + back) + c1) * (2 * covariance + c2)
    apart = (mean_squares + 2 * back + c1) * (variances + c2)
    return (alike / apart).mean(dim=(1, 2, 3), dtype=torch.float64)


def window_weights(window: Window) -> Tensor:
    """The window along one axis, float32 (size,), sums to one."""
    if window == "uniform51":
        return torch.full((51,), 1 / 51)
    if window != "gaussian":
        raise UserError(f"unknown SSIM window {window!r}: use one of {', '.join(WINDOWS)}")
    offsets = torch.arange(-5, 6, dtype=torch.float64)
    weights = torch.exp(-(offsets**2) / (2 * 1.5**2))
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
        name = "ssim" if window == "gaussian" else "ssim-51"
        protocol = f"{WINDOWS[window]}, RGB, data range 255, border cropped"
        super().__init__((Quantity(name, protocol, better="higher"),))
        self.window = window

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        return {self.quantities[0].name: ssim(generated, reference, self.window)}
