"""Image-pose fusion (FPDM, stage 1): source image and target pose -> an embedding like the target image's."""

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection


class Combiner(nn.Module):
    """Fuses an image embedding and a pose embedding (CLIP4Cir's combiner, as FPDM uses it).

    dim: width of both embeddings and of the result. projection, hidden: inner widths (768 as published).
    """

    def __init__(self, dim: int, projection: int, hidden: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.pose_projection = nn.Linear(dim, projection)
        self.image_projection = nn.Linear(dim, projection)
        self.combination = nn.Linear(2 * projection, hidden)
        self.output = nn.Linear(hidden, dim)
        self.balance = nn.Sequential(
            nn.Linear(2 * projection, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, 1),
            nn.Sigmoid(),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, image: Tensor, pose: Tensor) -> Tensor:
        """Image and pose embeddings (B, dim) -> unit-norm fusion embedding (B, dim)."""
        pose_part = self.dropout(F.relu(self.pose_projection(pose)))
        image_part = self.dropout(F.relu(self.image_projection(image)))
        both = torch.cat([pose_part, image_part], dim=-1)
        combined = self.output(self.dropout(F.relu(self.combination(both))))
        balance = self.balance(both)
        return F.normalize(combined + balance * pose + (1 - balance) * image, dim=-1)


class ImagePoseFusion(ModelMixin, ConfigMixin):
    """One CLIP vision tower, shared by images and pose maps, and a Combiner.

    clip: configuration of transformers' CLIPVisionModelWithProjection.
    """

    @register_to_config
    def __init__(self, clip: dict[str, Any], projection: int = 768, hidden: int = 768, dropout: float = 0.5) -> None:
        super().__init__()
        self.encoder = CLIPVisionModelWithProjection(CLIPVisionConfig(**clip))
        self.combiner = Combiner(self.encoder.config.projection_dim, projection, hidden, dropout)

    @property
    def dim(self) -> int:
        return self.encoder.config.projection_dim

    def forward(self, source: Tensor, pose: Tensor) -> Tensor:
        """Embeddings of the source image and of the target's pose map (B, dim) -> fusion embedding (B, dim)."""
        return self.combiner(source, pose)
