"""The conditional UNet: a Stable Diffusion UNet with pose, source and embedding conditions.

It is the denoiser of FPDM (stage 2) and, with other input channels and conditions, those of PCDMs (stages 2 and 3).
"""

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin, UNet2DConditionModel
from diffusers.configuration_utils import register_to_config
from diffusers.models.controlnets.controlnet import ControlNetConditioningEmbedding
from diffusers.models.embeddings import TimestepEmbedding
from torch import Tensor, nn

from signgen.models.attention import SourceAttention, SourceContext, project_tokens
from signgen.models.positions import sinusoidal_grid

ENDS = ("unet.conv_in.", "unet.conv_out.")


@dataclass
class DeepFeatures:
    """What the blocks below a UNet's first level make of a batch, kept from one step to be used again at later ones."""

    kept: Tensor | None = None


class ConditionalUNet(ModelMixin, ConfigMixin):
    """Denoises latents given pose features, source tokens and an embedding of the image to be.

    unet_config: configuration of diffusers' UNet2DConditionModel; input channels beyond the output's are for what is
    known of the image. source_dim: width of the source encoder's tokens. fusion_dim: width of the embedding that is
    added to the time embedding (FPDM's fusion embedding, PCDMs' global one); None: there is none. fusion_embed_type:
    its projection, "mlp" (FPDM) or "projection" (PCDMs), in diffusers' terms for class embeddings. source_hidden,
    fusion_hidden: widths of the projections' hidden layers (768 as published). pose_channels: the pose encoder's
    convolution stack, halving sizes between two; None: no pose. dropout: of the projections.

    Two options for models trained from nothing. patch: the UNet sees blocks of patch x patch latents as one position
    (as diffusion transformers do), which makes it patch^2 times cheaper. positions: (height, width) of a grid of
    learned features, added where the pose features are; a pretrained UNet has learned its own sense of place.
    residual: the output is added to the latents that came in (for students that start near their target).
    """

    _supports_gradient_checkpointing = True

    @register_to_config
    def __init__(
        self,
        unet_config: dict[str, Any],
        source_dim: int,
        fusion_dim: int | None,
        source_hidden: int = 768,
        fusion_hidden: int = 768,
        pose_channels: tuple[int, ...] | None = (16, 32, 96, 256),
        dropout: float = 0.2,
        patch: int = 1,
        positions: tuple[int, int] | None = None,
        fusion_embed_type: str = "mlp",
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(**unet_config)
        width, token_width = self.unet.config.block_out_channels[0], self.unet.config.cross_attention_dim
        time_width = self.unet.time_embedding.linear_2.out_features
        if pose_channels is not None:
            self.pose_encoder = ControlNetConditioningEmbedding(width, block_out_channels=tuple(pose_channels))
        self.source_projection = nn.Sequential(
            nn.Linear(source_dim, source_hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.LayerNorm(source_hidden),
            nn.Linear(source_hidden, token_width),
            nn.Dropout(dropout),
        )
        if fusion_dim is not None and fusion_embed_type == "mlp":
            self.fusion_projection: nn.Module = nn.Sequential(
                nn.Linear(fusion_dim, fusion_hidden),
                nn.GELU(),
                nn.Dropout(dropout),
                nn.Linear(fusion_hidden, time_width),
                nn.Dropout(dropout),
            )
        elif fusion_dim is not None:
            self.fusion_projection = TimestepEmbedding(fusion_dim, time_width)
        self.position_features = nn.Parameter(0.5 * sinusoidal_grid(width, *positions)) if positions else None
        self._use_source_attention()

    def _use_source_attention(self) -> None:
        self._cross_attentions = [
            module for name, module in self.unet.named_modules() if name.endswith("attn2") and module is not None
        ]
        for layer, module in enumerate(self._cross_attentions):
            module.set_processor(SourceAttention(layer))

    @property
    def latent_channels(self) -> int:
        """Channels of the latents that it denoises."""
        return self.unet.config.out_channels // self.config.patch**2

    @property
    def known_channels(self) -> int:
        """Channels of what it is told of the image, behind the latents."""
        return self.unet.config.in_channels // self.config.patch**2 - self.latent_channels

    def pose_features(self, pose_maps: Tensor) -> Tensor:
        """Pose maps (B, 3, H, W) -> features (B, C, h, w), one per position; edges are padded with zeros.

        FPDM's pose maps are in [0, 1], PCDMs' in [-1, 1].
        """
        factor = 2 ** (len(self.config.pose_channels) - 1)
        height, width = pose_maps.shape[-2:]
        padded = F.pad(pose_maps, (0, -width % factor, 0, -height % factor))
        return self.pose_encoder(padded.to(self.dtype))

    def source_tokens(self, hidden: Tensor) -> Tensor:
        """The source encoder's last hidden state (B, T, source_dim) -> tokens (B, T, cross-attention width)."""
        return self.source_projection(hidden.to(self.dtype))

    def source_context(self, tokens: Tensor) -> SourceContext:
        """Keys and values of source tokens for all cross-attention layers: once per video."""
        return project_tokens(self._cross_attentions, tokens)

    def forward(
        self,
        latents: Tensor,
        timesteps: Tensor,
        context: SourceContext,
        pose_features: Tensor | None = None,
        fusion: Tensor | None = None,
        deep: DeepFeatures | None = None,
    ) -> Tensor:
        """Predict noise or velocity (as the scheduler's prediction type says) for latents (B, C, h, w).

        Behind the latents' own channels come those of what is known of the image. timesteps: (B,) or scalar.
        pose_features: (B, width, h, w), zero where dropped. fusion: (B, fusion_dim), zero where dropped: it is dropped
        before its projection, so the projection of zero still reaches the time embedding. deep: where it is empty it is
        filled; where not, only the blocks of the first level are run, on top of what it holds.
        """
        (height, width), patch, given = latents.shape[-2:], self.config.patch, latents
        latents = F.pixel_unshuffle(F.pad(latents, (0, -width % patch, 0, -height % patch), mode="replicate"), patch)
        unet = self.unet
        embedding = unet.time_embedding(unet.get_time_embed(latents, timesteps))
        if fusion is not None:
            embedding = embedding + self.fusion_projection(fusion.to(latents.dtype))
        hidden = unet.conv_in(latents)
        if pose_features is not None:
            hidden = hidden + pose_features
        if self.position_features is not None:
            hidden = hidden + F.interpolate(self.position_features[None], size=hidden.shape[-2:], mode="bilinear")
        skips: tuple[Tensor, ...] = (hidden,)
        reused = None if deep is None else deep.kept
        for block in list(unet.down_blocks)[: 1 if reused is not None else None]:
            hidden, residuals = block(hidden, embedding, **_cross(block, context))
            skips += residuals
        *upward, last = unet.up_blocks
        if reused is None:
            hidden = unet.mid_block(hidden, embedding, **_cross(unet.mid_block, context))
            for block in upward:
                residuals, skips = skips[-len(block.resnets) :], skips[: -len(block.resnets)]
                # Odd sizes: each upsampling returns to the exact size that its skip connections have.
                size = skips[-1].shape[-2:]
                hidden = block(hidden, residuals, embedding, upsample_size=size, **_cross(block, context))
            if deep is not None:
                deep.kept = hidden
        else:
            hidden = reused
        hidden = last(hidden, skips[: len(last.resnets)], embedding, **_cross(last, context))
        output = unet.conv_out(unet.conv_act(unet.conv_norm_out(hidden)))
        output = F.pixel_shuffle(output, patch)[..., :height, :width]
        return output + given[:, : self.latent_channels] if self.config.residual else output


def refitted(unet: ConditionalUNet, latents: int, known: int) -> ConditionalUNet:
    """A residual copy for `latents` channels and `known` ones behind them.

    Its first and last layer are new, and it changes nothing at first; everything between is the given network's.
    """
    config = dict(unet.config)
    ends = {"in_channels": latents + known, "out_channels": latents}
    fresh = ConditionalUNet(**config | {"unet_config": config["unet_config"] | ends, "residual": True})
    ours = {name: value for name, value in unet.state_dict().items() if not name.startswith(ENDS)}
    fresh.load_state_dict(ours, strict=False)
    nn.init.zeros_(fresh.unet.conv_out.weight)
    nn.init.zeros_(fresh.unet.conv_out.bias)
    return fresh


def _cross(block: nn.Module, context: SourceContext) -> dict[str, Any]:
    return {"encoder_hidden_states": context} if getattr(block, "has_cross_attention", False) else {}
