"""The sizes of PCDMs: `tiny` for tests, `mini` beside the embedded FPDM, `paper` as published.

`mini-half` is `mini` with denoisers of half the parameters: its two together have as many as FPDM's one.
"""

from dataclasses import dataclass, replace
from typing import Any

from diffusers import DDIMScheduler
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

from signgen.models.prior import PosePrior
from signgen.models.sizes import Sizes, make_scheduler, named
from signgen.models.unet import ConditionalUNet
from signgen.systems.fpdm import presets
from signgen.systems.fpdm.presets import Preset


@dataclass(frozen=True, kw_only=True)
class PCDMPreset(Sizes):
    """Configurations of PCDMs' parts.

    image_encoder: of transformers' CLIPVisionModelWithProjection, whose embedding the prior predicts. inpaint, refine:
    of ConditionalUNet.
    """

    image_encoder: dict[str, Any]
    prior: dict[str, Any]
    inpaint: dict[str, Any]
    refine: dict[str, Any]
    prior_scheduler: dict[str, Any]

    def build_image_encoder(self) -> CLIPVisionModelWithProjection:
        return CLIPVisionModelWithProjection(CLIPVisionConfig(**self.image_encoder))

    def build_prior(self) -> PosePrior:
        return PosePrior(**self.prior)

    def build_inpaint(self) -> ConditionalUNet:
        return ConditionalUNet(**self.inpaint)

    def build_refine(self) -> ConditionalUNet:
        return ConditionalUNet(**self.refine)

    def build_prior_scheduler(self) -> DDIMScheduler:
        return make_scheduler(self.prior_scheduler)


# Stage 1 as published: 1000 steps, cosine, predicting the embedding itself.
PRIOR_SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "sample",
    "clip_sample": False,
    "timestep_spacing": "trailing",
}


def _unets(unet: dict[str, Any], **common: Any) -> dict[str, Any]:
    """Stage 2 and stage 3 from the configuration of FPDM's denoiser.

    Stage 2 is told of the canvas a mask and the known latents; stage 3 the coarse image's latents, and neither pose
    nor embedding. Where FPDM's denoiser has learned positions, the canvas has them twice as wide.
    """
    unet = unet | common
    latents = unet["unet_config"]["out_channels"]
    parts = {
        name: unet | {"unet_config": unet["unet_config"] | {"in_channels": channels}}
        for name, channels in (("inpaint", 2 * latents + 1), ("refine", 2 * latents))
    }
    parts["inpaint"]["fusion_embed_type"] = "projection"
    parts["refine"] |= {"fusion_dim": None, "pose_channels": None}
    if positions := unet.get("positions"):
        parts["inpaint"]["positions"] = (positions[0], 2 * positions[1])
    return parts


def _narrowed(sizes: Preset, channels: tuple[int, ...], heads: list[int]) -> Preset:
    """The same with a denoiser of other widths; its pose features end as wide as its first level."""
    unet_config = sizes.unet["unet_config"] | {"block_out_channels": channels, "attention_head_dim": heads}
    pose_channels = (*sizes.unet["pose_channels"][:-1], channels[0])
    return replace(sizes, unet=sizes.unet | {"unet_config": unet_config, "pose_channels": pose_channels})


def _like(sizes: Preset, prior: dict[str, Any], prior_steps: int) -> PCDMPreset:
    """PCDMs of parts that FPDM has at that size: its tower embeds images.

    The embedding is a token beside the source's, with no projection: tokens are as wide as it is.
    """
    clip = sizes.fusion["clip"]
    unet_config = sizes.unet["unet_config"] | {"cross_attention_dim": clip["projection_dim"]}
    guidance = sizes.sampling["guidance_source"]
    return PCDMPreset(
        image_size=sizes.image_size,
        source_size=sizes.source_size,
        autoencoder=sizes.autoencoder,
        colour_latents=sizes.colour_latents,
        source_encoder=sizes.source_encoder,
        image_encoder=clip,
        prior=prior | {"embedding_dim": clip["projection_dim"], "embedding_mean": 0.0, "embedding_std": 1.0},
        scheduler=sizes.scheduler,
        prior_scheduler=PRIOR_SCHEDULE,
        sampling={name: sizes.sampling[name] for name in ("steps", "solver", "fit")}
        | {"guidance": guidance, "prior_steps": prior_steps},
        **_unets(sizes.unet | {"unet_config": unet_config}),
    )


PAPER = PCDMPreset(
    image_size=(512, 512),
    source_size=(224, 224),
    autoencoder=presets.PAPER.autoencoder,
    # DINOv2-giant and OpenCLIP ViT-H/14.
    source_encoder=presets.tower(1536, 40, 24, 518, 14) | {"mlp_ratio": 4, "use_swiglu_ffn": True},
    image_encoder=presets.tower(1280, 32, 16, 224, 14) | {"intermediate_size": 5120, "projection_dim": 1024},
    prior={},
    scheduler=presets.PUBLISHED_SCHEDULE | {"prediction_type": "epsilon"},
    prior_scheduler=PRIOR_SCHEDULE,
    sampling={"steps": 20, "solver": "unipc", "guidance": 2.0, "prior_steps": 20, "fit": "squash"},
    **_unets(presets.PAPER.unet, source_dim=1536, fusion_dim=1024, dropout=0.0),
)
MINI_PRIOR = {"heads": 4, "head_width": 64, "layers": 4, "pose_hidden": 128, "pose_dim": 256}
MINI = _like(presets.MINI, MINI_PRIOR, 8)
MINI_HALF = _like(_narrowed(presets.MINI, (64, 112), [2, 4]), MINI_PRIOR, 8)
TINY = _like(presets.TINY, {"heads": 2, "head_width": 8, "layers": 1, "pose_hidden": 8, "pose_dim": 8}, 2)

PRESETS: dict[str, PCDMPreset] = {"tiny": TINY, "mini-half": MINI_HALF, "mini": MINI, "paper": PAPER}


def pcdm_preset(name: str) -> PCDMPreset:
    """PCDMs' preset of that name. Raises UserError for another name."""
    return named(PRESETS, name)
