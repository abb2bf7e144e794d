"""The prior of PCDMs (stage 1): source embedding and both poses -> the target image's embedding, by diffusion."""

from functools import partial

import torch
from diffusers import ConfigMixin, ModelMixin, PriorTransformer
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

BODY_POINTS = 18


def _pose_encoder(hidden: int, dim: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(2 * BODY_POINTS, hidden),
        nn.GELU(),
        nn.LayerNorm(hidden),
        nn.Linear(hidden, dim),
        nn.LayerNorm(dim),
        nn.Linear(dim, width),
    )


class PosePrior(ModelMixin, ConfigMixin):
    """A transformer over six tokens: both poses, the source's embedding, time, the noisy target embedding, a query.

    embedding_dim: width of the image embeddings. heads x head_width: width of the transformer. pose_hidden, pose_dim:
    widths inside the two pose encoders. embedding_mean, embedding_std: of the images' embeddings; diffusion works on
    target embeddings normalised by them (the source's is read as it is, as published). No token is hidden from another.
    """

    @register_to_config
    def __init__(
        self,
        embedding_dim: int = 1024,
        heads: int = 32,
        head_width: int = 64,
        layers: int = 20,
        pose_hidden: int = 512,
        pose_dim: int = 1024,
        embedding_mean: float = -0.016,
        embedding_std: float = 0.415,
    ) -> None:
        super().__init__()
        self.transformer = PriorTransformer(
            num_attention_heads=heads,
            attention_head_dim=head_width,
            num_layers=layers,
            embedding_dim=embedding_dim,
            num_embeddings=2,
            additional_embeddings=4,
            encoder_hid_proj_type=None,
        )
        # What this class's configuration says: as parameters they would be two more tensors, zero from the start.
        self.transformer.clip_mean = self.transformer.clip_std = None
        self.source_pose_encoder = _pose_encoder(pose_hidden, pose_dim, heads * head_width)
        self.target_pose_encoder = _pose_encoder(pose_hidden, pose_dim, heads * head_width)

    def enable_checkpointing(self) -> None:
        """Compute the blocks again in the backward pass, which saves memory (diffusers has no switch for this
        network)."""
        for block in self.transformer.transformer_blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)

    def normalised(self, embeddings: Tensor) -> Tensor:
        """Image embeddings (B, D) -> what diffusion works on."""
        return (embeddings - self.config.embedding_mean) / self.config.embedding_std

    def restored(self, normalised: Tensor) -> Tensor:
        """The inverse of `normalised`."""
        return normalised * self.config.embedding_std + self.config.embedding_mean

    def pose_tokens(self, source: Tensor, target: Tensor) -> Tensor:
        """Points of both poses (B, 18, 2), zero where a pose is dropped -> tokens (B, 2, width)."""
        encoded = (self.source_pose_encoder, source), (self.target_pose_encoder, target)
        return torch.stack([encoder(points.flatten(1).to(self.dtype)) for encoder, points in encoded], dim=1)

    def forward(self, noisy: Tensor, timesteps: Tensor, source: Tensor, pose_tokens: Tensor) -> Tensor:
        """Predict the target's normalised embedding (B, D) from a noisy one (B, D).

        timesteps: (B,) or scalar. source: the source image's embedding (B, D). pose_tokens: of `pose_tokens`.
        """
        return self.transformer(
            noisy.to(self.dtype), timesteps, source.to(self.dtype), pose_tokens
        ).predicted_image_embedding
