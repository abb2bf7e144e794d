"""The sizes of FPDM: `tiny` for tests, `mini` embedded in the package, `paper` as published."""

from dataclasses import dataclass, field, replace
from typing import Any

from signgen.models.composition import Composition
from signgen.models.fusion import ImagePoseFusion
from signgen.models.sizes import Sizes, named
from signgen.models.unet import ConditionalUNet


@dataclass(frozen=True, kw_only=True)
class Preset(Sizes):
    """Configurations of FPDM's parts."""

    fusion: dict[str, Any]
    unet: dict[str, Any]
    composition: dict[str, Any] = field(default_factory=dict)

    def with_clip_source(self) -> "Preset":
        """The same with CLIP's vision tower, as the fusion model has it, for source encoder (FPDM's ablation B1)."""
        tower = {key: value for key, value in self.fusion["clip"].items() if key != "projection_dim"}
        unet = self.unet | {"source_dim": tower["hidden_size"]}
        return replace(self, source_kind="clip", source_encoder=tower, unet=unet)

    def build_fusion(self) -> ImagePoseFusion:
        return ImagePoseFusion(**self.fusion)

    def build_unet(self) -> ConditionalUNet:
        return ConditionalUNet(**self.unet)

    def build_composition(self) -> Composition:
        return Composition(**self.composition)


STABLE_DIFFUSION_SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "clip_sample": False,
}

# As published: pure noise enters at t = 951 although the schedule still leaves 9 % of the signal there.
PUBLISHED_SCHEDULE = STABLE_DIFFUSION_SCHEDULE | {"steps_offset": 1, "set_alpha_to_one": False}

# Trained from nothing, nothing binds us to that fault: the last training step is pure noise, and sampling starts there.
ZERO_SNR_SCHEDULE = STABLE_DIFFUSION_SCHEDULE | {
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}


def _autoencoder(channels: tuple[int, ...], layers: int, latents: int, groups: int, block: int) -> dict[str, Any]:
    return {
        "in_channels": 3 * block**2,
        "out_channels": 3 * block**2,
        "block_out_channels": channels,
        "down_block_types": ("DownEncoderBlock2D",) * len(channels),
        "up_block_types": ("UpDecoderBlock2D",) * len(channels),
        "layers_per_block": layers,
        "latent_channels": latents,
        "norm_num_groups": groups,
    }


def tower(width: int, layers: int, heads: int, image: int, patch: int) -> dict[str, Any]:
    """Configuration of a vision transformer; `image` and `patch`: edges in pixels."""
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "image_size": image,
        "patch_size": patch,
    }


def _unet(channels: tuple[int, ...], layers: int, latents: int, tokens: int, heads: list[int], groups: int) -> dict:
    """Stable Diffusion's block layout: cross-attention everywhere but at the coarsest level."""
    levels = len(channels)
    return {
        "in_channels": latents,
        "out_channels": latents,
        "block_out_channels": channels,
        "down_block_types": ("CrossAttnDownBlock2D",) * (levels - 1) + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * (levels - 1),
        "layers_per_block": layers,
        "cross_attention_dim": tokens,
        "attention_head_dim": heads,
        "use_linear_projection": True,
        "norm_num_groups": groups,
    }


PAPER = Preset(
    image_size=(512, 512),
    source_size=(512, 512),
    autoencoder=_autoencoder((128, 256, 512, 512), 2, 4, 32, 1) | {"sample_size": 768},
    source_encoder=tower(1024, 24, 16, 518, 14) | {"mlp_ratio": 4},
    fusion={
        "clip": tower(1024, 24, 16, 224, 14) | {"intermediate_size": 4096, "projection_dim": 768},
        "projection": 768,
        "hidden": 768,
    },
    unet={
        "unet_config": _unet((320, 640, 1280, 1280), 2, 4, 1024, [5, 10, 20, 20], 32) | {"sample_size": 64},
        "source_dim": 1024,
        "fusion_dim": 768,
    },
    scheduler=PUBLISHED_SCHEDULE,
    sampling={"steps": 20, "solver": "ddim", "guidance_source": 2.0, "guidance_fusion": 2.0, "fit": "squash"},
)

MINI = Preset(
    image_size=(260, 210),
    source_size=(256, 208),
    autoencoder=_autoencoder((64, 128), 1, 16, 16, 4) | {"mid_block_add_attention": False},
    colour_latents=True,
    source_encoder=tower(192, 4, 6, 256, 16) | {"mlp_ratio": 3},
    fusion={
        "clip": tower(128, 4, 4, 128, 16) | {"intermediate_size": 512, "projection_dim": 192},
        "projection": 256,
        "hidden": 256,
    },
    unet={
        # Two levels: at three, most parameters would sit where a hand is a fraction of a position. Attention only at
        # the coarser one (238 positions), where it costs a fourteenth of what it costs at full latent size.
        "unet_config": _unet((96, 160), 2, 16, 192, [3, 5], 16)
        | {
            "sample_size": 32,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        },
        "source_dim": 192,
        "fusion_dim": 192,
        "source_hidden": 256,
        "fusion_hidden": 256,
        "pose_channels": (8, 16, 32, 96),
        "dropout": 0.0,
        "positions": (33, 27),
    },
    scheduler=ZERO_SNR_SCHEDULE,
    sampling={"steps": 2, "solver": "ddim", "guidance_source": 1.0, "guidance_fusion": 1.0, "fit": "signer"},
)

TINY = Preset(
    image_size=(52, 42),
    source_size=(56, 42),
    autoencoder=_autoencoder((8, 8), 1, 4, 4, 4) | {"mid_block_add_attention": False},
    source_encoder=tower(16, 1, 2, 56, 14) | {"mlp_ratio": 2},
    fusion={
        "clip": tower(16, 1, 2, 32, 16) | {"intermediate_size": 32, "projection_dim": 8},
        "projection": 16,
        "hidden": 16,
    },
    unet={
        "unet_config": _unet((8, 16), 1, 4, 16, [2, 2], 4) | {"sample_size": 8},
        "source_dim": 16,
        "fusion_dim": 8,
        "source_hidden": 16,
        "fusion_hidden": 16,
        "pose_channels": (4, 4, 8, 8),
        "dropout": 0.0,
    },
    composition={"channels": 4, "deep_channels": 8, "groups": 4},
    scheduler=ZERO_SNR_SCHEDULE,
    sampling={"steps": 4, "solver": "ddim", "guidance_source": 2.0, "guidance_fusion": 2.0, "fit": "crop"},
)

PRESETS: dict[str, Preset] = {"tiny": TINY, "mini": MINI, "paper": PAPER}


def preset(name: str) -> Preset:
    """FPDM's preset of that name. Raises UserError for another name."""
    return named(PRESETS, name)
