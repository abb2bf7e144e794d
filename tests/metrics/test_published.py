"""The figures measured on the FPDM authors' own Phoenix frames, by scikit-image, to the digits given."""

from pathlib import Path

import pytest

from signgen.evaluation import evaluate

EXPECTED = {
    "10December_2009_Thursday_heute_7944": (0.8880, 0.9296, 25.36, 0.6818),
    "21November_2011_Monday_heute_5437": (0.8658, 0.9285, 25.07, 0.5994),
}


@pytest.mark.parametrize("clip", EXPECTED)
def test_authors_frames(shared: Path, clip: str) -> None:
    folder = shared / "real" / "phoenix14t-fpdm" / clip
    metrics = ("ssim", "ssim-51", "psnr", "hand-ssim")
    found = evaluate(folder / "fpdm", folder / "reference", folder / "keypoints.npz", metrics=metrics)
    ssim, uniform, psnr, hand_ssim = EXPECTED[clip]
    assert found["ssim"] == pytest.approx(ssim, abs=5e-5)
    assert found["ssim-51"] == pytest.approx(uniform, abs=5e-5)
    assert found["psnr"] == pytest.approx(psnr, abs=5e-3)
    assert found["hand-ssim"] == pytest.approx(hand_ssim, abs=5e-5)
