import pytest
import torch
from diffusers import AutoencoderKL

from signgen.models.autoencoder import decode, downscale, encode, latent_size, posterior, reconstruct
from signgen.systems.fpdm.presets import preset


@pytest.fixture(scope="module")
def vae() -> AutoencoderKL:
    torch.manual_seed(0)
    return preset("tiny").build_autoencoder().eval()


@pytest.mark.parametrize(("height", "width"), [(64, 48), (52, 42), (9, 17)])
@torch.no_grad()
def test_odd_sizes_are_padded_and_come_back(vae: AutoencoderKL, height: int, width: int) -> None:
    images = torch.rand(2, 3, height, width) * 2 - 1
    latents = encode(vae, images)
    assert latents.shape == (2, 4, *latent_size(vae, height, width))
    assert decode(vae, latents, height, width).shape == images.shape


def test_sizes_of_the_presets() -> None:
    mini = preset("mini").build_autoencoder()
    assert downscale(mini) == 8
    assert latent_size(mini, 260, 210) == (33, 27)


@torch.no_grad()
def test_scaling_cancels(vae: AutoencoderKL) -> None:
    images = torch.rand(1, 3, 32, 32) * 2 - 1
    vae.register_to_config(scaling_factor=0.37)
    plain = reconstruct(vae, posterior(vae, images).mode(), 32, 32)
    assert torch.allclose(decode(vae, encode(vae, images), 32, 32), plain, atol=1e-5)
