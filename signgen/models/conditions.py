"""Computes the conditions of the denoisers. Training and rendering share this code."""

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import CLIPVisionModel, CLIPVisionModelWithProjection

from signgen.models.fusion import ImagePoseFusion
from signgen.models.pixels import CLIP_STATISTICS, IMAGENET_STATISTICS, Statistics, encoder_pixels
from signgen.models.sizes import SourceEncoder

EMBEDDINGS = ("fusion", "source", "none")
"""What conditions beside pose and source tokens: the fusion embedding (FPDM), or, for its ablations, the source's own
embedding (B4) or nothing (B1 to B3)."""


def source_hidden(encoder: SourceEncoder, images: Tensor, statistics: Statistics | None = None) -> Tensor:
    """Last hidden state (B, tokens, width) of source images (B, H, W, 3) uint8, of the size that the encoder reads.

    All tokens are kept, the class token too (FPDM stage 2, PCDMs stage 2). statistics: of the pixels' channels, by
    default those that the encoder was trained with; PCDMs give DINOv2 those of CLIP.
    """
    is_clip = isinstance(encoder, CLIPVisionModel)
    if statistics is None:
        statistics = CLIP_STATISTICS if is_clip else IMAGENET_STATISTICS
    pixels = encoder_pixels(images, (images.shape[1], images.shape[2]), statistics).to(encoder.dtype)
    options = {"interpolate_pos_encoding": True} if is_clip else {}  # DINOv2 does so by itself
    return encoder(pixel_values=pixels, **options).last_hidden_state


def fusion_embedding(fusion: ImagePoseFusion, frames: Tensor) -> Tensor:
    """Embeddings (B, dim) of images or pose maps (B, H, W, 3) uint8."""
    return image_embedding(fusion.encoder, frames)


def image_embedding(encoder: CLIPVisionModelWithProjection, frames: Tensor) -> Tensor:
    """CLIP's embeddings (B, dim) of images (B, H, W, 3) uint8, squashed to the size that it reads."""
    side = encoder.config.image_size
    return encoder(pixel_values=encoder_pixels(frames, (side, side), CLIP_STATISTICS).to(encoder.dtype)).image_embeds


def condition_embedding(kind: str, fusion: ImagePoseFusion, source: Tensor, pose_maps: Tensor) -> Tensor:
    """The embedding (B, dim) that is added to the time embedding. kind: one of EMBEDDINGS.

    source: the source images' embeddings (B, dim). pose_maps: the poses' (B, H, W, 3) uint8.
    """
    if kind == "fusion":
        return fusion(source, fusion_embedding(fusion, pose_maps))
    # Of unit norm as the fusion embedding is, in whose place it stands.
    return F.normalize(source, dim=-1) if kind == "source" else torch.zeros_like(source)


def keep_rows(values: Tensor, keep: Tensor) -> Tensor:
    """Values (B, ...) with the rows set to zero where `keep` (B,) is false: a dropped condition."""
    return values * keep.to(values.dtype).view(-1, *[1] * (values.ndim - 1))
