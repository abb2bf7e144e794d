from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from signgen.errors import UserError
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.train_diffusion import DiffusionObjective, DropSettings
from signgen.systems.fpdm.train_fusion import contrastive_loss, retrieval_at_1, source_enhanced_loss
from signgen.systems.trainings import load_settings
from signgen.training.denoising import kept
from signgen.training.objective import region_weights
from tests.tiny_training import CONFIGS, TrainTiny


@pytest.fixture
def objective(trained_parts: list[str]) -> DiffusionObjective:
    settings = load_settings("diffusion", CONFIGS / "diffusion.yaml", [*trained_parts, "data.roots=[x]"])
    return DiffusionObjective(settings)


def test_conditions_are_dropped_per_sample_and_the_null_branch_is_trained() -> None:
    drop = DropSettings(everything=0.1, pose=0.2, source=0.2, fusion=0.5)
    uniform = torch.rand(20_000, 8, generator=torch.Generator().manual_seed(0))
    pose, source, fusion = kept(drop, uniform)
    assert (~pose).float().mean() == pytest.approx(0.1 + 0.9 * 0.2, abs=0.01)
    assert (~source).float().mean() == pytest.approx(0.1 + 0.9 * 0.2, abs=0.01)
    assert (~fusion).float().mean() == pytest.approx(0.1 + 0.9 * 0.5, abs=0.01)
    nothing = (~pose & ~source & ~fusion).float().mean()
    assert nothing == pytest.approx(0.1 + 0.9 * 0.2 * 0.2 * 0.5, abs=0.01)


def test_offset_noise_is_shared_by_a_channel(objective: DiffusionObjective) -> None:
    objective.settings.noise_offset = 0.1
    numbers = torch.randn(4, objective.noise_count, generator=torch.Generator().manual_seed(0))
    noise = objective.noise(numbers)
    assert noise.shape == (4, *objective.noised_shape)
    objective.settings.noise_offset = 0.0
    difference = noise - objective.noise(numbers)
    assert torch.allclose(difference, difference[..., :1, :1].expand_as(difference), atol=1e-6)
    assert difference.std() == pytest.approx(0.1, rel=0.5)


def test_timesteps_are_uniform_or_lean_to_noise(objective: DiffusionObjective) -> None:
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    for bias, mean in ((1.0, 500), (3.0, 750)):
        objective.settings.noise_bias = bias
        timesteps = objective.timesteps(uniform)
        assert timesteps.float().mean() == pytest.approx(mean, abs=10)
        assert timesteps.min() >= 0
        assert timesteps.max() <= 999
    assert objective.timesteps(torch.zeros(1)) == 999


def test_the_goal_is_velocity_or_noise(objective: DiffusionObjective) -> None:
    latents, noise = torch.randn(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    alpha = objective.scheduler.alphas_cumprod[400]
    velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * latents
    assert torch.allclose(objective.target(latents, noise, torch.tensor([400])), velocity, atol=1e-5)
    objective.scheduler.register_to_config(prediction_type="epsilon")
    assert torch.equal(objective.target(latents, noise, torch.tensor([400])), noise)


def test_drop_probabilities_are_checked() -> None:
    with pytest.raises(UserError, match=r"drop\.pose is 1\.5"):
        DropSettings(pose=1.5)


def test_regions_weigh_more_where_hands_are() -> None:
    keypoints = torch.zeros(2, 133, 3)
    keypoints[0, 91] = torch.tensor([100.0, 40.0, 1.0])
    weights = region_weights(keypoints, (200, 200), (25, 25), hands=3.0, face=0.0)
    assert weights.shape == (2, 1, 25, 25)
    assert weights.mean(dim=(1, 2, 3)) == pytest.approx([1, 1])
    assert weights[0, 0].argmax() == 4 * 25 + 12  # the cell whose middle is nearest to (100, 40), the first of equals
    assert torch.equal(weights[1], torch.ones_like(weights[1]))  # no hand, no preference


def test_contrastive_losses() -> None:
    generator = torch.Generator().manual_seed(0)
    targets, fused, sources = (F.normalize(torch.randn(6, 16, generator=generator), dim=-1) for _ in range(3))
    logits = targets @ fused.T / 0.07
    expected = -(logits.diag() - logits.logsumexp(dim=1)).mean()
    assert contrastive_loss(targets, fused, 0.07) == pytest.approx(float(expected), rel=1e-5)
    assert contrastive_loss(targets, targets, 0.01) == pytest.approx(0, abs=1e-6)
    assert retrieval_at_1(targets, targets) == 1
    assert retrieval_at_1(targets, targets.roll(1, dims=0)) == 0

    # Source-enhanced: a fused embedding that is its own source is pushed away, which the baseline does not see.
    collapsed = source_enhanced_loss(targets, sources, sources, 0.07)
    apart = source_enhanced_loss(targets, targets, sources, 0.07)
    assert apart < collapsed


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    settings = load_settings(
        "diffusion", CONFIGS / "diffusion.yaml", [f"autoencoder={tmp_path}", f"fusion={tmp_path}", "data.roots=[x]"]
    )
    with pytest.raises(UserError, match="is not the folder of a AutoencoderKL"):
        DiffusionObjective(settings)


def test_conditions_of_the_ablations(trained_parts: list[str]) -> None:
    batch = {
        "source": torch.randint(0, 256, (2, 52, 42, 3), dtype=torch.uint8),
        "pose": torch.randint(0, 256, (2, 52, 42, 3), dtype=torch.uint8),
    }
    outputs = {}
    for kind in ("fusion", "source", "none"):
        overrides = [*trained_parts, "data.roots=[x]", f"embedding={kind}"]
        pipeline = DiffusionObjective(load_settings("diffusion", CONFIGS / "diffusion.yaml", overrides)).pipeline()
        conditions = pipeline.encode_poses(pipeline.encode_source(batch["source"]), batch["pose"], (52, 42))
        outputs[kind] = conditions.fusion
    assert torch.allclose(outputs["source"].norm(dim=-1), torch.ones(2))
    assert torch.equal(outputs["none"], torch.zeros_like(outputs["none"]))
    assert not torch.allclose(outputs["fusion"], outputs["source"])


def test_clip_as_source_encoder_is_trained_and_saved(
    train_tiny: TrainTiny, trained_parts: list[str], tmp_path: Path
) -> None:
    options = (*trained_parts, "steps=1", "source_encoder=clip", "source_size=32x32", "embedding=none")
    train_tiny("diffusion", tmp_path / "b1", *options)
    pipeline = FPDMPipeline.from_pretrained(tmp_path / "b1" / "model")
    assert type(pipeline.source_encoder).__name__ == "CLIPVisionModel"
    assert pipeline.config.embedding == "none"
    assert tuple(pipeline.config.source_size) == (32, 32)


def test_fine_tuning_goes_on_at_another_size(train_tiny: TrainTiny, trained_parts: list[str], tmp_path: Path) -> None:
    train_tiny("diffusion", tmp_path / "first", *trained_parts, "steps=1", "ema=0")
    first = FPDMPipeline.from_pretrained(tmp_path / "first" / "model")
    overrides = ["data.roots=[x]", f"fine_tune={tmp_path / 'first' / 'model'}", "image_size=40x48"]
    settings = load_settings("diffusion", CONFIGS / "diffusion.yaml", [*trained_parts, *overrides])
    objective = DiffusionObjective(settings)
    assert objective.size == (48, 40)
    for ours, theirs in zip(objective.unet.parameters(), first.unet.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    train_tiny("diffusion", tmp_path / "second", *trained_parts, *overrides[1:], "steps=1")
    assert tuple(FPDMPipeline.from_pretrained(tmp_path / "second" / "model").config.image_size) == (48, 40)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("image_size=512", "image_size is '512'; it must be WIDTHxHEIGHT"),
        ("embedding=pose", "embedding is 'pose'; choose one of fusion, source, none"),
        ("source_encoder=dino", "source_encoder is 'dino'; choose one of dinov2, clip"),
    ],
)
def test_settings_are_checked(override: str, message: str) -> None:
    given = ["autoencoder=a", "fusion=b", override]
    with pytest.raises(UserError, match=message):
        load_settings("diffusion", CONFIGS / "diffusion.yaml", given).sizes()
