from pathlib import Path

import pytest
import torch

from signgen.models.autoencoder import decode, encode, posterior
from signgen.models.base_weights import load_autoencoder
from signgen.models.colour_autoencoder import ColourAutoencoder
from signgen.systems.fpdm.presets import TINY


@pytest.fixture
def vae() -> ColourAutoencoder:
    torch.manual_seed(0)
    return ColourAutoencoder(**TINY.autoencoder).eval()


@torch.no_grad()
def test_the_first_latents_are_the_mean_colours_of_8x8_pixels(vae: ColourAutoencoder) -> None:
    images = torch.rand(2, 3, 48, 40) * 2 - 1
    latents = encode(vae, images) / vae.config.scaling_factor
    torch.testing.assert_close(latents[:, :3], torch.nn.functional.avg_pool2d(images, 8))
    vae.register_to_config(scaling_factor=0.5)
    torch.testing.assert_close(vae.colour_latents(images)[:, :3], encode(vae, images)[:, :3])
    assert not vae.colour_latents(images)[:, 3:].any()


@torch.no_grad()
def test_the_colours_have_no_spread(vae: ColourAutoencoder) -> None:
    distribution = posterior(vae, torch.rand(1, 3, 48, 40))
    assert not distribution.std[:, :3].any()
    assert (distribution.std[:, 3:] > 0).all()
    assert distribution.kl().isfinite().all()


@torch.no_grad()
def test_at_the_start_a_plain_image_comes_back(vae: ColourAutoencoder) -> None:
    vae.start_from_colours()
    images = torch.tensor([0.3, -0.6, 0.9]).view(1, 3, 1, 1).expand(1, 3, 46, 42)
    torch.testing.assert_close(decode(vae, encode(vae, images), 46, 42), images, atol=1e-5, rtol=0)


def test_it_is_loaded_as_what_it_is(vae: ColourAutoencoder, tmp_path: Path) -> None:
    vae.save_pretrained(tmp_path)
    loaded = load_autoencoder(tmp_path)
    assert type(loaded) is ColourAutoencoder
    torch.testing.assert_close(loaded.state_dict(), vae.state_dict())
