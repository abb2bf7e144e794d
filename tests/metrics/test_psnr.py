import math

import pytest
import torch
from torch import Tensor

from signgen.metrics import PSNR, psnr


def test_noise_of_known_variance() -> None:
    """Uniform noise over -10 .. 10 has the variance 110/3, hence 10 log10(255² · 3 / 110) = 32.49 dB."""
    generator = torch.Generator().manual_seed(0)
    reference = torch.full((4, 200, 200, 3), 128, dtype=torch.uint8)
    noise = torch.randint(-10, 11, reference.shape, generator=generator)
    expected = 10 * math.log10(255**2 * 3 / 110)
    assert psnr((reference + noise).byte(), reference).tolist() == pytest.approx([expected] * 4, abs=0.05)


def test_identical_frames_are_infinite(reference: Tensor) -> None:
    assert psnr(reference, reference).isinf().all()


def test_the_mean_is_of_the_frames_decibels(reference: Tensor, noisy: Tensor) -> None:
    better = reference.clone()
    better[:, 0, 0, 0] ^= 1
    mixed = torch.cat([noisy[:7], better[7:]])
    metric = PSNR()
    metric.update(mixed, reference)
    halves = psnr(noisy[:7], reference[:7]).mean(), psnr(better[7:], reference[7:]).mean()
    assert metric.compute()["psnr"] == pytest.approx(float(sum(halves) / 2))
