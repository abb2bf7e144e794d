"""Peak signal-to-noise ratio."""

import torch
from torch import Tensor

from signgen.metrics.frame_metric import AveragedMetric, Quantity, to_planes


def psnr(generated: Tensor, reference: Tensor) -> Tensor:
    """PSNR of each frame in dB, data range 255.

    Uint8 (F, H, W, 3) twice -> float64 (F,), inf for identical frames.
    """
    difference = to_planes(generated) - to_planes(reference)
    error = difference.square_().mean(dim=(1, 2, 3), dtype=torch.float64)
    return 10 * torch.log10(255.0**2 / error)


class PSNR(AveragedMetric):
    """Mean of `psnr` over frames; infinite as soon as one frame is identical."""

    def __init__(self) -> None:
        super().__init__((Quantity("psnr", "RGB, data range 255, mean of the frames' dB", "higher", "dB"),))

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        return {"psnr": psnr(generated, reference)}
