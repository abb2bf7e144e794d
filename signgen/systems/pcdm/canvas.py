"""The canvas of PCDMs' inpainting stage: source and target side by side, the source known, the target to be found."""

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from signgen.models.autoencoder import decode, downscale, encode
from signgen.models.pixels import to_images


def beside(left: Tensor, right: Tensor, factor: int, fill: float | None = None) -> Tensor:
    """Images (B, C, H, W), one of them perhaps for all rows, as one (B, C, H', 2 W').

    Each half is padded on the right and below to a multiple of `factor`, with its own edges or with `fill`.
    """
    rows = max(len(left), len(right))
    return torch.cat([_padded(half, factor, fill).expand(rows, -1, -1, -1) for half in (left, right)], dim=-1)


def _padded(images: Tensor, factor: int, fill: float | None) -> Tensor:
    height, width = images.shape[-2:]
    padding = (0, -width % factor, 0, -height % factor)
    return F.pad(images, padding, mode="replicate") if fill is None else F.pad(images, padding, value=fill)


def canvas_latents(vae: AutoencoderKL, sources: Tensor, targets: Tensor) -> Tensor:
    """Scaled latents (B, C, h, 2 w) of source and target images (B, 3, H, W) in [-1, 1], encoded as one image."""
    return encode(vae, beside(sources, targets, downscale(vae)))


def known_part(vae: AutoencoderKL, sources: Tensor) -> Tensor:
    """What is known of the canvas (B, 1 + C, h, 2 w): a mask, 1 at the source, and the latents of source and black."""
    latents = canvas_latents(vae, sources, torch.full_like(sources, -1))
    mask = torch.zeros_like(latents[:, :1])
    mask[..., : mask.shape[-1] // 2] = 1
    return torch.cat([mask, latents], dim=1)


def decode_target(vae: AutoencoderKL, latents: Tensor, height: int, width: int) -> Tensor:
    """Canvas latents (B, C, h, 2 w) -> the target images (B, 3, height, width) in about [-1, 1]."""
    half = latents.shape[-1] // 2 * downscale(vae)
    return decode(vae, latents, height, 2 * half)[..., half : half + width]


def canvas_pose_maps(source: Tensor, target: Tensor, factor: int) -> Tensor:
    """uint8 pose maps (B, H, W, 3) of source and target -> (B, 3, H', 2 W') in [-1, 1], black around."""
    return beside(to_images(source), to_images(target), factor, fill=-1)
