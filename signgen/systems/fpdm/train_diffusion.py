"""Training the conditional diffusion model (FPDM, stage 2)."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.model_config import model_index
from signgen.io.model_folder import load_component, save_model
from signgen.models.autoencoder import encode, latent_size
from signgen.models.base_weights import CLIP_SOURCE_ENCODER, copy_weights, load_base
from signgen.models.conditions import EMBEDDINGS, condition_embedding, fusion_embedding, keep_rows, source_hidden
from signgen.models.fusion import ImagePoseFusion
from signgen.models.pixels import resize, to_frames, to_images, to_pose_maps
from signgen.models.pose_inputs import PoseInputs
from signgen.models.sizes import SOURCE_ENCODERS, SourceEncoder
from signgen.models.unet import ConditionalUNet
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.presets import Preset
from signgen.systems.fpdm.settings import FPDMSettings
from signgen.training.denoising import DenoisingObjective, Drops, LatentSettings, kept
from signgen.training.objective import Batch, image_grid, region_weights


@dataclass
class DropSettings(Drops):
    """Drops of FPDM's conditions. `everything` trains the null branch of guidance."""

    everything: float = 0.1
    pose: float = 0.2
    source: float = 0.2
    fusion: float = 0.2


@dataclass
class DiffusionSettings(LatentSettings, FPDMSettings):
    """Stage 2 of FPDM."""

    autoencoder: str = "???"
    """Folder or hub id of the autoencoder: one trained here, or Stable Diffusion's."""
    fusion: str = "???"
    """Folder of the trained fusion model."""
    pretrained_unet: str = ""
    """Folder or hub id of the Stable Diffusion whose UNet is started from; none: random weights."""
    source_encoder: str = "dinov2"
    """dinov2, or clip (FPDM's ablation B1)."""
    pretrained_source_encoder: str = ""
    """Folder or hub id of the model that encodes the source; needed unless it is trained."""
    fine_tune: str = ""
    """Folder of a trained FPDM, whose UNet and source encoder are started from in place of the two above."""
    embedding: str = "fusion"
    """What conditions beside pose and source tokens: fusion, or for ablations source (B4) or none (B1 to B3)."""
    train_source_encoder: bool = False
    """`mini` has no pretrained source encoder to freeze and trains its own with the UNet."""
    drop: DropSettings = field(default_factory=DropSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in (("source_encoder", SOURCE_ENCODERS), ("embedding", EMBEDDINGS)):
            if getattr(self, name) not in choices:
                raise UserError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")

    def sizes(self) -> Preset:
        sizes = super().sizes()
        return sizes.with_clip_source() if self.source_encoder == "clip" else sizes


# Parameters of source encoders that its tokens do not depend on: several processes would wait for their gradients.
UNREAD = ("mask_token", "post_layernorm.weight", "post_layernorm.bias")


def freeze_unread(encoder: SourceEncoder) -> None:
    """Switch gradients off for the parameters of a source encoder that its tokens do not depend on."""
    for name, parameter in encoder.named_parameters():
        if name.endswith(UNREAD):
            parameter.requires_grad_(False)


def sampled_images(pipeline: FPDMPipeline, batch: Batch, noise: Tensor) -> np.ndarray:
    """Source, pose, target and what the pipeline makes of noise (B, C, h, w), by its defaults: a column per sample."""
    own = PoseInputs(batch["source_pose"], keypoints=batch["source_keypoints"]) if "source_pose" in batch else None
    images = pipeline.generate(
        pipeline.encode_source(batch["source"], own),
        PoseInputs(batch["pose"], keypoints=batch["keypoints"]),
        noise,
        size=(batch["target"].shape[1], batch["target"].shape[2]),
        **pipeline.sampling_options(),
    )
    return image_grid([batch["source"], batch["pose"], batch["target"], to_frames(images)])


class DiffusionObjective(DenoisingObjective):
    """v- or epsilon-prediction of noised target latents, given source, pose and the frozen fusion embedding."""

    settings: DiffusionSettings

    def __init__(self, settings: DiffusionSettings, weights: bool = True) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings, self.sizes = settings, sizes
        self.size = sizes.image_size
        self.vae = load_base("autoencoder", settings.autoencoder) if weights else sizes.build_autoencoder()
        self.fusion = load_component(ImagePoseFusion, Path(settings.fusion)) if weights else sizes.build_fusion()
        self.source_encoder = sizes.build_source_encoder()
        self.unet = sizes.build_unet()
        if weights:
            self.load_pretrained()
        self.scheduler = sizes.build_scheduler()
        if settings.gradient_checkpointing:
            self.unet.unet.enable_gradient_checkpointing()
        self.set_noised_shape((self.unet.latent_channels, *latent_size(self.vae, *self.size)))

    def load_pretrained(self) -> None:
        """Weights that the settings name. A frozen source encoder with random weights would see nothing: refused."""
        settings = self.settings
        if settings.fine_tune:
            model = Path(settings.fine_tune)
            self.expect_skeleton(settings.fine_tune, model_index(model).get("skeleton", COCO_WHOLEBODY))
            self.unet = load_component(ConditionalUNet, model / "unet")
            self.source_encoder = load_component(type(self.source_encoder), model / "source_encoder")
            return
        if settings.pretrained_unet:
            copy_weights(self.unet.unet, load_base("pretrained_unet", settings.pretrained_unet), "pretrained_unet")
        if settings.pretrained_source_encoder:
            base = CLIP_SOURCE_ENCODER if settings.source_encoder == "clip" else None
            self.source_encoder = load_base("pretrained_source_encoder", settings.pretrained_source_encoder, base)
        elif not settings.train_source_encoder:
            raise UserError(
                "the source encoder has no weights: set pretrained_source_encoder to the folder or hub id of a "
                f"{settings.source_encoder} model, or train_source_encoder=true"
            )
        if self.source_encoder.config.hidden_size != self.unet.config.source_dim:
            raise UserError(
                f"pretrained_source_encoder has tokens of width {self.source_encoder.config.hidden_size}, model "
                f"{settings.model} needs {self.unet.config.source_dim}"
            )

    def freeze(self) -> None:
        super().freeze()
        freeze_unread(self.source_encoder)

    def trainable(self) -> dict[str, nn.Module]:
        parts: dict[str, nn.Module] = {"unet": self.unet}
        if self.settings.train_source_encoder:
            parts["source_encoder"] = self.source_encoder
        return parts

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        sources = resize(batch["source"], self.sizes.source_size)
        with torch.no_grad():
            latents = encode(self.vae, to_images(batch["target"])).float()
            embedded = fusion_embedding(self.fusion, sources)
            fused = condition_embedding(self.settings.embedding, self.fusion, embedded, batch["pose"])
        noise = self.noise(batch["noise"])
        uniform = batch["uniform"]
        timesteps = self.timesteps(uniform[:, 0])
        keep_pose, keep_source, keep_fusion = kept(self.settings.drop, uniform)
        tokens = keep_rows(self.unet.source_tokens(source_hidden(self.source_encoder, sources)), keep_source)
        features = keep_rows(self.unet.pose_features(to_pose_maps(batch["pose"])), keep_pose)
        prediction = self.unet(
            self.scheduler.add_noise(latents, noise, timesteps),
            timesteps,
            self.unet.source_context(tokens),
            features,
            keep_rows(fused, keep_fusion),
        )
        grid = self.noised_shape[1], self.noised_shape[2]
        weights = region_weights(batch["keypoints"], self.size, grid, self.settings.hands, self.settings.face)
        return self.denoising_loss(prediction, self.target(latents, noise, timesteps), weights)

    def pipeline(self) -> FPDMPipeline:
        return FPDMPipeline(
            vae=self.vae,
            source_encoder=self.source_encoder,
            fusion=self.fusion,
            unet=self.unet,
            scheduler=self.scheduler,
            image_size=self.sizes.image_size,
            source_size=self.sizes.source_size,
            sampling=self.sizes.sampling,
            skeleton=self.skeleton,
            embedding=self.settings.embedding,
        )

    @torch.no_grad()
    def sample(self, batch: Batch) -> np.ndarray:
        return sampled_images(self.pipeline(), batch, self.noise(batch["noise"]))

    def save(self, folder: Path) -> None:
        save_model(self.pipeline(), folder)
