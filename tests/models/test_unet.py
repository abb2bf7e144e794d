import pytest
import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from signgen.models.unet import ConditionalUNet
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.presets import preset

TOKENS = 7


@pytest.fixture
def unet(tiny_pipeline: FPDMPipeline) -> ConditionalUNet:
    return tiny_pipeline.unet


def inputs(unet: ConditionalUNet, rows: int, height: int, width: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    config = unet.config
    features = config.unet_config["block_out_channels"][0]
    positions = -(-height // config.patch), -(-width // config.patch)
    return {
        "latents": torch.randn(rows, unet.latent_channels, height, width, generator=generator),
        "tokens": torch.randn(rows, TOKENS, config.unet_config["cross_attention_dim"], generator=generator),
        "pose_features": torch.randn(rows, features, *positions, generator=generator),
        "fusion": torch.randn(rows, config.fusion_dim, generator=generator),
    }


def predict(unet: ConditionalUNet, values: dict[str, Tensor], null_rows: int = 0) -> Tensor:
    context = unet.source_context(values["tokens"]).for_branches(1, null_rows)
    with torch.no_grad():
        return unet(values["latents"], torch.tensor(500), context, values["pose_features"], values["fusion"])


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 6), (13, 11), (5, 9)])
def test_the_prediction_has_the_latents_size_whatever_it_is(unet: ConditionalUNet, height: int, width: int) -> None:
    values = inputs(unet, 2, height, width)
    assert predict(unet, values).shape == values["latents"].shape


@pytest.mark.parametrize("size", [(8, 8), (7, 5)])
def test_without_pose_and_fusion_it_is_diffusers_unet(unet: ConditionalUNet, size: tuple[int, int]) -> None:
    values = inputs(unet, 2, *size)
    values["pose_features"].zero_()
    values["fusion"].zero_()
    plain = UNet2DConditionModel(**unet.config.unet_config)
    plain.load_state_dict(unet.unet.state_dict())
    # The projection of a zero fusion embedding still reaches the time embedding: take it out of the comparison.
    offset = unet.fusion_projection(values["fusion"])[0].detach()
    plain.time_embedding.linear_2.bias.data += offset
    with torch.no_grad():
        expected = plain.eval()(values["latents"], torch.tensor(500), values["tokens"]).sample
    assert torch.allclose(predict(unet, values), expected, atol=1e-5)


def test_one_source_for_all_rows_equals_the_source_repeated(unet: ConditionalUNet) -> None:
    values = inputs(unet, 3, 8, 6)
    shared = {**values, "tokens": values["tokens"][:1]}
    repeated = {**values, "tokens": values["tokens"][:1].repeat(3, 1, 1)}
    assert torch.allclose(predict(unet, shared), predict(unet, repeated), atol=1e-5)


def test_null_rows_equal_rows_with_zero_tokens(unet: ConditionalUNet) -> None:
    values = inputs(unet, 4, 8, 6)
    values["tokens"][:2] = 0
    skipped = {**values, "tokens": values["tokens"][2:]}
    assert torch.allclose(predict(unet, values), predict(unet, skipped, null_rows=2), atol=1e-5)
    all_null = {**values, "tokens": torch.zeros_like(values["tokens"])}
    assert torch.allclose(predict(unet, all_null), predict(unet, all_null, null_rows=4), atol=1e-5)


@pytest.mark.parametrize("condition", ["tokens", "pose_features", "fusion"])
def test_every_condition_counts(unet: ConditionalUNet, condition: str) -> None:
    values = inputs(unet, 1, 8, 6)
    changed = {**values, condition: values[condition] + 1}
    assert (predict(unet, values) - predict(unet, changed)).abs().max() > 1e-4


def test_patches_and_positions_are_options_of_the_same_network() -> None:
    sizes = preset("tiny").unet
    blocks = {**sizes["unet_config"], "in_channels": 16, "out_channels": 16}
    torch.manual_seed(0)
    unet = ConditionalUNet(**{**sizes, "unet_config": blocks}, patch=2, positions=(4, 3)).eval()
    values = inputs(unet, 2, 7, 5)
    assert unet.latent_channels == 4
    assert predict(unet, values).shape == (2, 4, 7, 5)
    before = predict(unet, values)
    unet.position_features.data += torch.randn_like(unet.position_features)
    assert not torch.allclose(before, predict(unet, values), atol=1e-4)


def test_gradient_checkpointing_changes_no_gradient(unet: ConditionalUNet) -> None:
    values = inputs(unet, 2, 8, 6)

    def gradient() -> Tensor:
        unet.zero_grad()
        tokens = unet.source_projection(torch.ones(2, TOKENS, unet.config.source_dim))
        output = unet(
            values["latents"],
            torch.tensor(9),
            unet.source_context(tokens),
            values["pose_features"],
            values["fusion"],
        )
        output.square().mean().backward()
        return unet.source_projection[0].weight.grad.clone()

    unet.unet.train()
    plain = gradient()
    unet.unet.enable_gradient_checkpointing()
    checkpointed = gradient()
    unet.unet.disable_gradient_checkpointing()
    unet.eval()
    unet.zero_grad()
    assert plain.abs().max() > 0
    assert torch.allclose(plain, checkpointed, atol=1e-6)
