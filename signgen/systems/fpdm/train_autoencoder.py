"""Training the autoencoder: reconstruct frames through a small Gaussian bottleneck."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.model_folder import save_model
from signgen.models.autoencoder import latent_size, posterior, reconstruct
from signgen.models.base_weights import load_autoencoder
from signgen.models.pixels import to_frames, to_images
from signgen.systems.fpdm.settings import FPDMSettings
from signgen.training.objective import Batch, Objective, image_grid, image_loss, region_weights


@dataclass
class AutoencoderSettings(FPDMSettings):
    """Loss = weighted L1 + ssim (1 - SSIM) + kl KL (mean over latents)."""

    autoencoder: str = ""
    """Folder of an autoencoder to go on from; none: random weights."""
    freeze_encoder: bool = False
    """Train the decoder alone: latents stay as they are, and diffusion models trained on them stay valid."""
    kl: float = 1e-4
    ssim: float = 0.0
    hands: float = 0.0
    """How much more a pixel at a hand weighs in the L1 loss."""
    face: float = 0.0


class AutoencoderObjective(Objective):
    """Variational autoencoder of single frames; its latents are scaled to unit variance when it is saved."""

    def __init__(self, settings: AutoencoderSettings, weights: bool = True) -> None:
        super().__init__()
        sizes = settings.sizes()
        self.settings = settings
        self.size = sizes.image_size
        if weights and settings.autoencoder:
            self.vae = load_autoencoder(Path(settings.autoencoder))
        elif weights and settings.freeze_encoder:
            raise UserError("freeze_encoder needs an encoder: set autoencoder to the folder of a trained one")
        else:
            self.vae = sizes.build_autoencoder()
        if settings.gradient_checkpointing:
            self.vae.enable_gradient_checkpointing()
        grid = latent_size(self.vae, *self.size)
        self.noise_count = sizes.autoencoder["latent_channels"] * grid[0] * grid[1]
        self.grid = grid
        # Mean square of the latents, for the scaling factor that gives the diffusion model unit variance.
        self.power: Tensor
        self.seen: Tensor
        self.register_buffer("power", torch.zeros(()))
        self.register_buffer("seen", torch.zeros(()))

    def trainable(self) -> dict[str, nn.Module]:
        if self.settings.freeze_encoder:
            return {"vae.decoder": self.vae.decoder, "vae.post_quant_conv": self.vae.post_quant_conv}
        return {"vae": self.vae}

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        images = to_images(batch["target"])
        distribution = posterior(self.vae, images)
        noise = batch["noise"].view_as(distribution.mean)
        decoded = reconstruct(self.vae, distribution.mean + distribution.std * noise, *self.size).float()
        weights = region_weights(batch["keypoints"], self.size, self.grid, self.settings.hands, self.settings.face)
        values = image_loss(decoded, images, weights, self.settings.ssim)
        divergence = distribution.kl().mean() / distribution.mean[0].numel()
        power = distribution.mean.detach().float().square().mean()
        return values | {
            "loss": values["loss"] + self.settings.kl * divergence,
            "kl": divergence,
            "latent_power": power,
        }

    def observe(self, values: dict[str, Tensor]) -> None:
        self.seen += 1
        self.power.lerp_(values["latent_power"], (1 / self.seen).clamp(min=0.01))

    @torch.no_grad()
    def sample(self, batch: Batch) -> np.ndarray:
        latents = posterior(self.vae, to_images(batch["target"])).mode()
        return image_grid([batch["target"], to_frames(reconstruct(self.vae, latents, *self.size))])

    def save(self, folder: Path) -> None:
        if not self.settings.freeze_encoder:
            self.vae.register_to_config(scaling_factor=float(self.power.rsqrt()))
        save_model(self.vae, folder)
