import pytest
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from signgen.errors import UserError
from signgen.metrics.ssim import SSIM, ssim

ARGUMENTS = {
    "gaussian": {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False},
    "uniform51": {"win_size": 51},
}


@pytest.mark.parametrize("window", ["gaussian", "uniform51"])
def test_equals_scikit_image(reference: Tensor, noisy: Tensor, window) -> None:
    expected = [
        structural_similarity(a, b, data_range=255, channel_axis=2, **ARGUMENTS[window])
        for a, b in zip(noisy.numpy(), reference.numpy(), strict=True)
    ]
    assert ssim(noisy, reference, window).tolist() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("window", "sigma"), [("legacy", 1.5), ("legacy-pcdms", 1.2)])
def test_legacy_variants_equal_scikit_image_with_the_generated_frames_span(
    reference: Tensor, noisy: Tensor, window, sigma: float
) -> None:
    pale = (noisy.float() / 2 + 60).byte()
    options = {"gaussian_weights": True, "sigma": sigma, "use_sample_covariance": False, "channel_axis": 2}
    expected = [
        structural_similarity(a, b, data_range=float(a.max()) - float(a.min()), **options)
        for a, b in zip(pale.numpy(), reference.numpy(), strict=True)
    ]
    assert ssim(pale, reference, window).tolist() == pytest.approx(expected, abs=1e-5)
    assert not torch.allclose(ssim(pale, reference, window), ssim(pale, reference), atol=1e-3)
    assert ssim(pale * 0, reference, window).isfinite().all()


def test_flat_and_extreme_frames_equal_scikit_image() -> None:
    """Flat images are where float32 variances cancel worst."""
    frames = torch.tensor([0, 1, 128, 254, 255], dtype=torch.uint8)[:, None, None, None].expand(5, 20, 20, 3)
    expected = [
        structural_similarity(a, b, data_range=255, channel_axis=2, **ARGUMENTS["gaussian"])
        for a, b in zip(frames.numpy(), frames.flip(0).numpy(), strict=True)
    ]
    assert ssim(frames, frames.flip(0)).tolist() == pytest.approx(expected, abs=1e-4)


def test_identical_frames_score_one(reference: Tensor) -> None:
    assert ssim(reference, reference).tolist() == pytest.approx([1.0] * len(reference), abs=1e-6)


def test_a_shift_is_seen(reference: Tensor) -> None:
    assert ssim(reference[1:2], reference[:1]) < 0.95
    assert ssim(reference[4:5], reference[:1]) < ssim(reference[1:2], reference[:1])


def test_frames_smaller_than_the_window_are_an_error() -> None:
    small = torch.zeros(1, 50, 60, 3, dtype=torch.uint8)
    with pytest.raises(UserError, match="at least 51 px a side, these are 60x50"):
        ssim(small, small, "uniform51")


def test_unknown_window_is_an_error(reference: Tensor) -> None:
    with pytest.raises(UserError, match="unknown SSIM window"):
        ssim(reference, reference, "hamming")  # type: ignore[arg-type]


def test_class_is_the_mean_of_the_function(reference: Tensor, noisy: Tensor) -> None:
    metric = SSIM("uniform51")
    metric.update(noisy, reference)
    assert metric.compute()["ssim-51"] == pytest.approx(float(ssim(noisy, reference, "uniform51").mean()))
