"""Training the conditional diffusion model (FPDM, stage 2)."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import Dinov2Model

from signgen.errors import UserError
from signgen.fpdm import FPDMPipeline
from signgen.models.autoencoder import encode, latent_size
from signgen.models.conditions import fusion_embedding, keep_rows, source_hidden
from signgen.models.folder import load_component, without_progress_bars
from signgen.models.fusion import ImagePoseFusion
from signgen.models.pixels import resize, to_drawings, to_frames, to_images
from signgen.models.presets import preset
from signgen.training.objective import Batch, Objective, picture_grid, region_weights
from signgen.training.settings import TrainingSettings


@dataclass
class DropSettings:
    """Probabilities of dropping conditions, per sample. `everything` trains the null branch of guidance."""

    everything: float = 0.1
    pose: float = 0.2
    source: float = 0.2
    fusion: float = 0.2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise UserError(f"drop.{name} is {value}; it is a probability, between 0 and 1")


@dataclass
class DiffusionSettings(TrainingSettings):
    """Stage 2 of FPDM."""

    autoencoder: str = "???"
    """Folder of the trained autoencoder."""
    fusion: str = "???"
    """Folder of the trained fusion model."""
    pretrained_unet: str = ""
    """Folder of a Stable Diffusion UNet to start from; none: random weights."""
    pretrained_source_encoder: str = ""
    """Folder of the DINOv2 model that encodes the source; needed unless it is trained."""
    train_source_encoder: bool = False
    """`mini` has no pretrained source encoder to freeze and trains its own with the UNet."""
    drop: DropSettings = field(default_factory=DropSettings)
    noise_offset: float = 0.1
    """Noise shared by a channel's positions, beside the independent noise."""
    hands: float = 0.0
    """How much more a latent at a hand weighs in the loss."""
    face: float = 0.0


class DiffusionObjective(Objective):
    """v- or epsilon-prediction of noised target latents, given source, pose and the frozen fusion embedding."""

    def __init__(self, settings: DiffusionSettings) -> None:
        super().__init__()
        sizes = preset(settings.model)
        self.settings, self.sizes = settings, sizes
        self.size = sizes.picture_size
        self.vae = load_component(AutoencoderKL, Path(settings.autoencoder))
        self.fusion = load_component(ImagePoseFusion, Path(settings.fusion))
        self.source_encoder = sizes.build_source_encoder()
        self.unet = sizes.build_unet()
        self.load_pretrained()
        self.scheduler = sizes.build_scheduler()
        if settings.gradient_checkpointing:
            self.unet.unet.enable_gradient_checkpointing()
        self.latent_shape = (self.unet.latent_channels, *latent_size(self.vae, *self.size))
        self.noise_count = int(np.prod(self.latent_shape)) + self.latent_shape[0]

    def load_pretrained(self) -> None:
        """Weights that the settings name. A frozen source encoder with random weights would see nothing: refused."""
        if self.settings.pretrained_unet:
            pretrained = load_component(UNet2DConditionModel, Path(self.settings.pretrained_unet))
            self.unet.unet.load_state_dict(pretrained.state_dict())
        if self.settings.pretrained_source_encoder:
            self.source_encoder = load_component(Dinov2Model, Path(self.settings.pretrained_source_encoder))
        elif not self.settings.train_source_encoder:
            raise UserError(
                "the source encoder has no weights: set pretrained_source_encoder to the folder of a DINOv2 model, "
                "or train_source_encoder=true"
            )

    def trainable(self) -> dict[str, nn.Module]:
        parts: dict[str, nn.Module] = {"unet": self.unet}
        if self.settings.train_source_encoder:
            parts["source_encoder"] = self.source_encoder
        return parts

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        sources = resize(batch["source"], self.sizes.source_size)
        with torch.no_grad():
            latents = encode(self.vae, to_images(batch["target"])).float()
            fused = self.fusion(fusion_embedding(self.fusion, sources), fusion_embedding(self.fusion, batch["pose"]))
        noise = self.noise(batch["noise"])
        uniform = batch["uniform"]
        timesteps = (uniform[:, 0] * self.scheduler.config.num_train_timesteps).long()
        keep_pose, keep_source, keep_fusion = self.kept(uniform)
        tokens = keep_rows(self.unet.source_tokens(source_hidden(self.source_encoder, sources)), keep_source)
        features = keep_rows(self.unet.pose_features(to_drawings(batch["pose"])), keep_pose)
        prediction = self.unet(
            self.scheduler.add_noise(latents, noise, timesteps),
            timesteps,
            self.unet.source_context(tokens),
            features,
            keep_rows(fused, keep_fusion),
        ).float()
        error = (prediction - self.goal(latents, noise, timesteps)).square()
        weights = region_weights(
            batch["keypoints"], self.size, self.latent_shape[1:], self.settings.hands, self.settings.face
        )
        return {"loss": (weights * error).mean(), "error": error.mean()}

    def noise(self, numbers: Tensor) -> Tensor:
        """A sample's standard normal numbers (B, noise_count) -> noise (B, C, h, w) with its offset."""
        channels = self.latent_shape[0]
        offset = numbers[:, -channels:].view(-1, channels, 1, 1)
        return numbers[:, :-channels].view(-1, *self.latent_shape) + self.settings.noise_offset * offset

    def kept(self, uniform: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which samples keep pose, source and fusion embedding (B,) each, drawn per sample."""
        drop = self.settings.drop
        anything = uniform[:, 1] >= drop.everything
        pose, source, fusion = (
            anything & (uniform[:, 2 + place] >= probability)
            for place, probability in enumerate((drop.pose, drop.source, drop.fusion))
        )
        return pose, source, fusion

    def goal(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the network is to predict: the velocity or the noise."""
        if self.scheduler.config.prediction_type == "v_prediction":
            return self.scheduler.get_velocity(latents, noise, timesteps)
        return noise

    def pipeline(self) -> FPDMPipeline:
        return FPDMPipeline(
            vae=self.vae,
            source_encoder=self.source_encoder,
            fusion=self.fusion,
            unet=self.unet,
            scheduler=self.scheduler,
            picture_size=self.sizes.picture_size,
            source_size=self.sizes.source_size,
            sampling=self.sizes.sampling,
        )

    @torch.no_grad()
    def sample(self, batch: Batch) -> np.ndarray:
        pipeline = self.pipeline()
        noise = self.noise(batch["noise"])
        images = pipeline.generate(
            pipeline.encode_source(batch["source"]),
            batch["pose"],
            noise,
            size=self.size,
            **pipeline.sampling_options(),
        )
        return picture_grid([batch["source"], batch["pose"], batch["target"], to_frames(images)])

    def save(self, folder: Path) -> None:
        with without_progress_bars():
            self.pipeline().save_pretrained(folder)
