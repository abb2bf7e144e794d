from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

from signgen.errors import UserError
from signgen.models.base_weights import CLIP_SOURCE_ENCODER, copy_weights, load_base
from signgen.systems.fpdm.presets import preset

TOWER = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture
def clip(tmp_path: Path) -> CLIPModel:
    """A whole CLIP, text tower included, as the hub has it."""
    vision = CLIPVisionConfig(**TOWER, image_size=32, patch_size=16, projection_dim=8)
    text = CLIPTextConfig(**TOWER, vocab_size=50, bos_token_id=1, eos_token_id=2)
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=8)
    model = CLIPModel(config)
    model.save_pretrained(tmp_path / "clip")
    return model


def test_the_vision_tower_of_a_whole_clip(clip: CLIPModel, tmp_path: Path) -> None:
    tower = load_base("pretrained_encoder", str(tmp_path / "clip"))
    assert torch.equal(tower.visual_projection.weight, clip.visual_projection.weight)
    encoder = load_base("pretrained_source_encoder", str(tmp_path / "clip"), CLIP_SOURCE_ENCODER)
    pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(encoder(pixels).pooler_output, clip.eval().vision_model(pixels).pooler_output)


def test_the_unet_inside_a_stable_diffusion_folder(tmp_path: Path) -> None:
    config = preset("tiny").unet["unet_config"]
    unet = UNet2DConditionModel(**config)
    unet.save_pretrained(tmp_path / "sd" / "unet")
    for place in (tmp_path / "sd", tmp_path / "sd" / "unet"):
        loaded = load_base("pretrained_unet", str(place))
        assert torch.equal(loaded.conv_in.weight, unet.conv_in.weight)
    other = UNet2DConditionModel(**(config | {"block_out_channels": (8, 8)}))
    with pytest.raises(UserError, match="pretrained_unet is of another size than the setting model asks for"):
        copy_weights(other, unet, "pretrained_unet")


@pytest.mark.parametrize("place", ["./weights/sd", "nobody/nothing", "a/b/c"])
def test_weights_that_are_not_there_say_what_to_download(place: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load_base("autoencoder", place)
    message = str(error.value)
    assert message.startswith(f"autoencoder: there is no folder {place}")
    assert "download vae/config.json and vae/diffusion_pytorch_model.safetensors of Stable Diffusion 2.1" in message
    assert ("hub give" in message) == (place == "nobody/nothing")
    assert "\n" not in message
