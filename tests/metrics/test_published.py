"""Known figures: of the FPDM authors' own Phoenix frames, by scikit-image, and of synthetic signers who stand still."""

from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.evaluation import evaluate
from signgen.metrics import SSIM, HandSSIM
from signgen.poses import read_poses
from signgen.video import open_video

EXPECTED = {
    "10December_2009_Thursday_heute_7944": (0.8880, 0.9296, 25.36, 0.6850),
    "21November_2011_Monday_heute_5437": (0.8658, 0.9285, 25.07, 0.6004),
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


@pytest.mark.slow
def test_first_frame_copied(shared: Path) -> None:
    """All later frames of the dev clips: the floor that a model must leave behind."""
    folder = shared / "data" / "synthetic-signers"
    metrics = SSIM(), HandSSIM()
    for path in sorted((folder / "videos" / "dev").iterdir()):
        with open_video(path) as video:
            frames = torch.from_numpy(np.stack(list(video)))
            poses = read_poses(folder / "keypoints" / "dev.npz", name=path.stem, size=video.size)
        for metric in metrics:
            metric.update(frames[:1].expand_as(frames)[1:], frames[1:], torch.from_numpy(poses.keypoints[1:]))
    assert metrics[0].compute()["ssim"] == pytest.approx(0.749, abs=5e-4)
    assert metrics[1].compute()["hand-ssim"] == pytest.approx(0.401, abs=5e-4)
