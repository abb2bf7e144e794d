"""Images to latents and back, for any diffusers AutoencoderKL.

An autoencoder with 3 p^2 input channels works on p x p pixel blocks (pixel-unshuffle stem), which saves the
convolutions at full resolution: `mini` uses p = 4, Stable Diffusion's has p = 1.
"""

from math import isqrt

import torch.nn.functional as F
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from torch import Tensor


def block_size(vae: AutoencoderKL) -> int:
    """Edge p of the pixel blocks that the autoencoder reads."""
    return isqrt(vae.config.in_channels // 3)


def downscale(vae: AutoencoderKL) -> int:
    """Pixels per latent along an edge."""
    return block_size(vae) * 2 ** (len(vae.config.block_out_channels) - 1)


def latent_size(vae: AutoencoderKL, height: int, width: int) -> tuple[int, int]:
    """(height, width) of the latents of an image: sizes are rounded up, `posterior` pads the image."""
    factor = downscale(vae)
    return -(-height // factor), -(-width // factor)


def posterior(vae: AutoencoderKL, images: Tensor) -> DiagonalGaussianDistribution:
    """Distribution of unscaled latents of images (B, 3, H, W) in [-1, 1]; right and bottom edges are repeated."""
    factor = downscale(vae)
    height, width = images.shape[-2:]
    padded = F.pad(images, (0, -width % factor, 0, -height % factor), mode="replicate")
    return vae.encode(F.pixel_unshuffle(padded.to(vae.dtype), block_size(vae))).latent_dist


def reconstruct(vae: AutoencoderKL, latents: Tensor, height: int, width: int) -> Tensor:
    """Unscaled latents -> images (B, 3, height, width) in about [-1, 1]."""
    return F.pixel_shuffle(vae.decode(latents.to(vae.dtype)).sample, block_size(vae))[..., :height, :width]


def encode(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Images (B, 3, H, W) in [-1, 1] -> the scaled mean latents that diffusion works on."""
    return posterior(vae, images).mode() * vae.config.scaling_factor


def decode(vae: AutoencoderKL, latents: Tensor, height: int, width: int) -> Tensor:
    """Scaled latents -> images (B, 3, height, width) in about [-1, 1]."""
    return reconstruct(vae, latents / vae.config.scaling_factor, height, width)
