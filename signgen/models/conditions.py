"""The conditions of FPDM's denoiser, computed alike in training and in rendering."""

from torch import Tensor
from transformers import Dinov2Model

from signgen.models.fusion import ImagePoseFusion
from signgen.models.pixels import CLIP_STATISTICS, IMAGENET_STATISTICS, encoder_pixels


def source_hidden(encoder: Dinov2Model, pictures: Tensor) -> Tensor:
    """Last hidden state (B, tokens, width) of source pictures (B, H, W, 3) uint8, of the size that the encoder reads.

    All tokens are kept, the class token too (methods: FPDM stage 2, condition 1).
    """
    pixels = encoder_pixels(pictures, (pictures.shape[1], pictures.shape[2]), IMAGENET_STATISTICS)
    return encoder(pixel_values=pixels.to(encoder.dtype)).last_hidden_state


def fusion_embedding(fusion: ImagePoseFusion, frames: Tensor) -> Tensor:
    """Embeddings (B, dim) of pictures or pose drawings (B, H, W, 3) uint8."""
    return fusion.embed(encoder_pixels(frames, fusion.pixel_size, CLIP_STATISTICS))


def keep_rows(values: Tensor, keep: Tensor) -> Tensor:
    """Values (B, ...) with the rows set to zero where `keep` (B,) is false: a dropped condition."""
    return values * keep.to(values.dtype).view(-1, *[1] * (values.ndim - 1))
