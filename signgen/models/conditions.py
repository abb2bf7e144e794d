"""The conditions of FPDM's denoiser, computed alike in training and in rendering."""

from torch import Tensor
from transformers import Dinov2Model

from signgen.models.fusion import ImagePoseFusion
from signgen.models.pixels import CLIP_STATISTICS, IMAGENET_STATISTICS, encoder_pixels


def source_hidden(encoder: Dinov2Model, frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Last hidden state (B, tokens, width) of source frames (B, H, W, 3) uint8 squashed to `size` (height, width).

    All tokens are kept, the class token too (methods: FPDM stage 2, condition 1).
    """
    pixels = encoder_pixels(frames, size, IMAGENET_STATISTICS)
    return encoder(pixel_values=pixels.to(encoder.dtype)).last_hidden_state


def fusion_pixels(fusion: ImagePoseFusion, frames: Tensor) -> Tensor:
    """What the fusion model's tower reads of frames or pose drawings (B, H, W, 3) uint8."""
    return encoder_pixels(frames, fusion.pixel_size, CLIP_STATISTICS)


def fusion_embedding(fusion: ImagePoseFusion, frames: Tensor) -> Tensor:
    """Embeddings (B, dim) of frames or pose drawings (B, H, W, 3) uint8."""
    return fusion.embed(fusion_pixels(fusion, frames))


def keep_rows(values: Tensor, keep: Tensor) -> Tensor:
    """Values (B, ...) with the rows set to zero where `keep` (B,) is false: a dropped condition."""
    return values * keep.to(values.dtype).view(-1, *[1] * (values.ndim - 1))
