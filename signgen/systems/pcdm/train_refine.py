"""Training the refining stage of PCDMs (stage 3): an image from the coarse one that stage 2 has made."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.model_folder import save_model
from signgen.models.autoencoder import encode, latent_size
from signgen.models.base_weights import copy_weights, load_base
from signgen.models.conditions import keep_rows, source_hidden
from signgen.models.pixels import CLIP_STATISTICS, resize, to_images
from signgen.systems.pcdm.pipeline import PCDMPipeline
from signgen.systems.pcdm.presets import PCDMPreset, pcdm_preset
from signgen.training.denoising import DenoisingObjective, Drops, LatentSettings, kept
from signgen.training.objective import Batch, region_weights


@dataclass
class RefineDrops(Drops):
    """Drops of stage 3's one condition, the source, which trains the null branch of guidance.

    The published code drops the coarse image, which its guidance never does, and never the source, which it does.
    """

    source: float = 0.1


@dataclass
class RefineSettings(LatentSettings):
    """Stage 3 of PCDMs."""

    inpaint: str = "???"
    """Model folder of stage 2, all of which is frozen."""
    coarse: str = "???"
    """Folder of the coarse images of `data.pairs`, which `signgen coarse` makes."""
    pretrained_unet: str = ""
    """Folder or hub id of the Stable Diffusion whose UNet is started from; none: random weights."""
    drop: RefineDrops = field(default_factory=RefineDrops)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.validation:
            raise UserError("validation must be empty: there are coarse images of the training pairs alone")

    def sizes(self) -> PCDMPreset:
        return self.resized(pcdm_preset(self.model))


class RefineObjective(DenoisingObjective):
    """Prediction for noised target latents, given the coarse image's latents and the source."""

    settings: RefineSettings

    def __init__(self, settings: RefineSettings, weights: bool = True) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings, self.sizes, self.size = settings, sizes, sizes.image_size
        self.refine = sizes.build_refine()
        self.stage_2: PCDMPipeline | None = None
        if weights:
            self.stage_2 = PCDMPipeline.from_pretrained(settings.inpaint)
            self.vae, self.source_encoder = self.stage_2.vae, self.stage_2.source_encoder
            self.expect_skeleton(settings.inpaint, self.stage_2.config.skeleton)
            if tuple(self.stage_2.config.image_size) != self.size:
                height, width = self.stage_2.config.image_size
                raise UserError(f"inpaint makes images of {width}x{height}: set image_size={width}x{height}")
            if settings.pretrained_unet:
                pretrained = load_base("pretrained_unet", settings.pretrained_unet)
                copy_weights(self.refine.unet, pretrained, "pretrained_unet", but="conv_in.weight")
        else:
            self.vae, self.source_encoder = sizes.build_autoencoder(), sizes.build_source_encoder()
        self.coarse = Path(settings.coarse)
        self.scheduler = sizes.build_scheduler()
        if settings.gradient_checkpointing:
            self.refine.unet.enable_gradient_checkpointing()
        self.set_noised_shape((self.refine.latent_channels, *latent_size(self.vae, *self.size)))

    def trainable(self) -> dict[str, nn.Module]:
        return {"refine": self.refine}

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        pixels = resize(batch["source"], self.sizes.source_size)
        with torch.no_grad():
            latents = encode(self.vae, to_images(batch["target"])).float()
            known = encode(self.vae, to_images(batch["coarse"])).float()
            hidden = source_hidden(self.source_encoder, pixels, CLIP_STATISTICS)
        noise, timesteps = self.noise(batch["noise"]), self.timesteps(batch["uniform"][:, 0])
        (keep_source,) = kept(self.settings.drop, batch["uniform"])
        tokens = keep_rows(self.refine.source_tokens(hidden), keep_source)
        prediction = self.refine(
            torch.cat([self.scheduler.add_noise(latents, noise, timesteps), known], dim=1),
            timesteps,
            self.refine.source_context(tokens),
        )
        grid = self.noised_shape[1], self.noised_shape[2]
        weights = region_weights(batch["keypoints"], self.size, grid, self.settings.hands, self.settings.face)
        return self.denoising_loss(prediction, self.target(latents, noise, timesteps), weights)

    def pipeline(self) -> PCDMPipeline:
        assert self.stage_2 is not None
        return PCDMPipeline(**self.stage_2.components | {"refine": self.refine}, **self.stage_2_settings())

    def stage_2_settings(self) -> dict:
        assert self.stage_2 is not None
        return {name: self.stage_2.config[name] for name in ("image_size", "source_size", "sampling", "skeleton")}

    def sample(self, batch: Batch) -> np.ndarray | None:
        return None

    def save(self, folder: Path) -> None:
        save_model(self.pipeline(), folder)
