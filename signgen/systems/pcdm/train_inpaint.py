"""Training the inpainting stage of PCDMs (stage 2): a coarse target beside the source."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.model_folder import load_component, save_model
from signgen.models.autoencoder import downscale, latent_size
from signgen.models.base_weights import copy_weights, load_base, load_image_encoder
from signgen.models.conditions import image_embedding, keep_rows, source_hidden
from signgen.models.pixels import CLIP_STATISTICS, resize, to_frames, to_images
from signgen.models.pose_inputs import PoseInputs, point_shares
from signgen.models.prior import PosePrior
from signgen.systems.fpdm.train_diffusion import freeze_unread
from signgen.systems.pcdm.canvas import canvas_latents, canvas_pose_maps, known_part
from signgen.systems.pcdm.pipeline import PCDMPipeline
from signgen.systems.pcdm.presets import PCDMPreset, pcdm_preset
from signgen.training.denoising import DenoisingObjective, Drops, LatentSettings, kept
from signgen.training.objective import Batch, image_grid, region_weights


@dataclass
class InpaintDrops(Drops):
    """Drops of stage 2's conditions, which become zeros as in the null branch of guidance; `everything` trains that
    branch. It sees pose and source image, too."""

    everything: float = 0.1
    source: float = 0.1
    embedding: float = 0.1


@dataclass
class InpaintSettings(LatentSettings):
    """Stage 2 of PCDMs."""

    autoencoder: str = "???"
    """Folder or hub id of the autoencoder: one trained here, or Stable Diffusion's."""
    image_encoder: str = "???"
    """The prior's: of the true target in training, in the place of what the prior predicts."""
    prior: str = ""
    """Folder of the trained prior, saved with the model; training does not need it, rendering does."""
    pretrained_unet: str = ""
    """Folder or hub id of the Stable Diffusion whose UNet is started from; none: random weights."""
    pretrained_source_encoder: str = ""
    """Folder or hub id of the DINOv2 that encodes the source; needed unless it is trained."""
    train_source_encoder: bool = False
    """`mini` has no pretrained source encoder to freeze and trains its own with the UNet."""
    drop: InpaintDrops = field(default_factory=InpaintDrops)

    def sizes(self) -> PCDMPreset:
        return self.resized(pcdm_preset(self.model))


class InpaintObjective(DenoisingObjective):
    """Prediction for the whole noised canvas, given the source, both poses and the target's embedding."""

    source_pose = True
    settings: InpaintSettings

    def __init__(self, settings: InpaintSettings, weights: bool = True) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings, self.sizes, self.size = settings, sizes, sizes.image_size
        self.vae = load_base("autoencoder", settings.autoencoder) if weights else sizes.build_autoencoder()
        self.image_encoder = (
            load_image_encoder(settings.image_encoder, sizes.image_encoder) if weights else sizes.build_image_encoder()
        )
        self.prior = load_component(PosePrior, Path(settings.prior)) if weights and settings.prior else None
        self.source_encoder = sizes.build_source_encoder()
        self.inpaint = sizes.build_inpaint()
        if weights:
            self.load_pretrained()
        self.scheduler = sizes.build_scheduler()
        if settings.gradient_checkpointing:
            self.inpaint.unet.enable_gradient_checkpointing()
        height, width = latent_size(self.vae, *self.size)
        self.set_noised_shape((self.inpaint.latent_channels, height, 2 * width))

    def load_pretrained(self) -> None:
        """Weights that the settings name; the UNet's first layer has other inputs and starts anew."""
        settings = self.settings
        if settings.pretrained_unet:
            pretrained = load_base("pretrained_unet", settings.pretrained_unet)
            copy_weights(self.inpaint.unet, pretrained, "pretrained_unet", but="conv_in.weight")
        if settings.pretrained_source_encoder:
            pretrained = load_base("pretrained_source_encoder", settings.pretrained_source_encoder)
            copy_weights(self.source_encoder, pretrained, "pretrained_source_encoder")
        elif not settings.train_source_encoder:
            raise UserError(
                "the source encoder has no weights: set pretrained_source_encoder to the folder or hub id of a dinov2 "
                "model, or train_source_encoder=true"
            )

    def freeze(self) -> None:
        super().freeze()
        freeze_unread(self.source_encoder)

    def trainable(self) -> dict[str, nn.Module]:
        parts: dict[str, nn.Module] = {"inpaint": self.inpaint}
        if self.settings.train_source_encoder:
            parts["source_encoder"] = self.source_encoder
        return parts

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        sources, targets = to_images(batch["source"]), to_images(batch["target"])
        with torch.no_grad():
            latents = canvas_latents(self.vae, sources, targets).float()
            known = known_part(self.vae, sources).float()
            embedding = image_embedding(self.image_encoder, batch["target"])
        noise, timesteps = self.noise(batch["noise"]), self.timesteps(batch["uniform"][:, 0])
        keep_source, keep_embedding = kept(self.settings.drop, batch["uniform"])
        embedding = keep_rows(embedding, keep_embedding)
        pixels = resize(batch["source"], self.sizes.source_size)
        tokens = self.inpaint.source_tokens(source_hidden(self.source_encoder, pixels, CLIP_STATISTICS))
        tokens = torch.cat([keep_rows(tokens, keep_source), embedding[:, None].to(tokens.dtype)], dim=1)
        canvas = canvas_pose_maps(batch["source_pose"], batch["pose"], downscale(self.vae))
        prediction = self.inpaint(
            torch.cat([self.scheduler.add_noise(latents, noise, timesteps), known], dim=1),
            timesteps,
            self.inpaint.source_context(tokens),
            self.inpaint.pose_features(canvas),
            embedding,
        )
        return self.denoising_loss(prediction, self.target(latents, noise, timesteps), self.weights(batch))

    def weights(self, batch: Batch) -> Tensor:
        """Loss weights (B, 1, h, 2 w) of the canvas, raised where hands and faces are."""
        grid = self.noised_shape[1], self.noised_shape[2] // 2
        regions = self.settings.hands, self.settings.face
        poses = batch["source_keypoints"], batch["keypoints"]
        return torch.cat([region_weights(points, self.size, grid, *regions) for points in poses], dim=-1)

    def pipeline(self) -> PCDMPipeline:
        return PCDMPipeline(
            vae=self.vae,
            source_encoder=self.source_encoder,
            image_encoder=self.image_encoder,
            prior=self.prior,
            inpaint=self.inpaint,
            refine=None,
            scheduler=self.scheduler,
            prior_scheduler=self.sizes.build_prior_scheduler(),
            image_size=self.sizes.image_size,
            source_size=self.sizes.source_size,
            sampling=self.sizes.sampling,
            skeleton=self.skeleton,
        )

    @torch.no_grad()
    def sample(self, batch: Batch) -> np.ndarray | None:
        return None if self.prior is None else sample_pipeline(self.pipeline(), batch, self.size)

    def save(self, folder: Path) -> None:
        save_model(self.pipeline(), folder)


def sample_pipeline(pipeline: PCDMPipeline, batch: Batch, size: tuple[int, int]) -> np.ndarray:
    """An image of a batch's sources, poses, targets and what the pipeline makes of them."""
    source = pipeline.encode_source(
        batch["source"], PoseInputs(batch["source_pose"], point_shares(batch["source_keypoints"], size))
    )
    poses = PoseInputs(batch["pose"], point_shares(batch["keypoints"], size))
    noise = torch.randn((len(batch["source"]), *pipeline.noise_shape(size)), generator=torch.Generator().manual_seed(0))
    images = pipeline.generate(source, poses, noise, size=size, **pipeline.sampling_options())
    return image_grid([batch["source"], batch["pose"], batch["target"], to_frames(images)])
