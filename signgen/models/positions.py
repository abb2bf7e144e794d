"""Position features for models that are trained from random weights.

Usually, position embeddings start as random numbers fifty times smaller than the features. Attention then needs
thousands of steps to learn where things are; until then, every pose gets an average signer. Sinusoids as large as the
features, the same in the source's tokens and in the UNet, work from the first step.
"""

import torch
from diffusers.models.embeddings import get_2d_sincos_pos_embed
from torch import Tensor
from transformers import Dinov2Model


def sinusoidal_grid(channels: int, height: int, width: int) -> Tensor:
    """Two-dimensional sinusoids (channels, height, width) in [-1, 1]; channels must be a multiple of four."""
    grid = get_2d_sincos_pos_embed(channels, (height, width), output_type="pt")
    return grid.float().T.reshape(channels, height, width)


@torch.no_grad()
def start_positions(encoder: Dinov2Model) -> None:
    """Start an encoder's position embeddings as sinusoids; pretrained weights, where loaded later, replace them."""
    embeddings = encoder.embeddings.position_embeddings
    side = round((embeddings.shape[1] - 1) ** 0.5)
    embeddings[:, 1:] = 1.5 * sinusoidal_grid(embeddings.shape[2], side, side).flatten(1).T
