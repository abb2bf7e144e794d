from pathlib import Path

import pytest
import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.metrics import ssim
from signgen.models.pixels import to_images
from signgen.systems.fpdm.train_autoencoder import AutoencoderObjective, AutoencoderSettings
from signgen.training.objective import image_loss
from signgen.video import open_video
from tests.metrics.conftest import noisy, reference  # noqa: F401 (fixtures)


@pytest.fixture(params=["float32", "bfloat16"])
def training_precision(request: pytest.FixtureRequest):
    with torch.autocast("cpu", torch.bfloat16, enabled=request.param == "bfloat16"):
        yield


def loss_part(frames: Tensor, target: Tensor) -> float:
    """1 - the SSIM in the loss of uint8 frames (F, H, W, 3)."""
    weights = torch.ones(len(frames), 1, 13, 10)
    found = image_loss(to_images(frames), to_images(target), weights, ssim=1.0)
    return float(found["loss"] - found["l1"])


@pytest.mark.usefixtures("training_precision")
def test_the_losses_ssim_is_the_metrics(reference: Tensor, noisy: Tensor) -> None:  # noqa: F811
    pairs = {"itself": reference, "noise": noisy, "next": reference.roll(1, 0), "brighter": (reference + 5).byte()}
    for name, frames in pairs.items():
        assert 1 - loss_part(frames, reference) == pytest.approx(float(ssim(frames, reference).mean()), abs=1e-5), name


@pytest.mark.usefixtures("training_precision")
def test_a_grey_level_moves_it_as_little_as_the_metric() -> None:
    grey = torch.full((1, 40, 40, 3), 100, dtype=torch.uint8)
    assert loss_part(grey + 5, grey) == pytest.approx(float(1 - ssim(grey + 5, grey)), abs=1e-5)


@pytest.mark.usefixtures("training_precision")
def test_it_is_the_metrics_on_real_frames(shared: Path) -> None:
    clip = shared / "real" / "phoenix14t-fpdm" / "21November_2011_Monday_heute_5437"
    made, real = (torch.from_numpy(open_video(clip / name).frames([0, 1])) for name in ("fpdm", "reference"))
    for frames in (made, real):
        assert 1 - loss_part(frames, real) == pytest.approx(float(ssim(frames, real).mean()), abs=1e-5)


def test_its_gradient_leads_to_the_goal(reference: Tensor) -> None:  # noqa: F811
    target = to_images(reference[:1])
    images = torch.zeros_like(target, requires_grad=True)
    optimizer = torch.optim.Adam([images], lr=0.05)
    for _ in range(40):
        loss = image_loss(images, target, torch.ones(1, 1, 1, 1), ssim=1.0)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_drawings_that_a_part_does_not_know_and_hands_that_are_not_there_are_refused() -> None:
    objective = AutoencoderObjective(AutoencoderSettings(model="tiny"))
    objective.use_skeleton("openpose-18")
    assert objective.skeleton == "openpose-18"
    objective.expect_skeleton("a/teacher", "coco-wholebody-133")
    with pytest.raises(UserError, match="a/teacher was trained on pose maps of coco-wholebody-133"):
        objective.use_skeleton("openpose-18")
    with pytest.raises(UserError, match="set hands=0 face=0"):
        AutoencoderObjective(AutoencoderSettings(model="tiny", face=1.0)).use_skeleton("openpose-18")
