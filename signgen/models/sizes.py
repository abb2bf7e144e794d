"""What the sizes of every system hold: the configurations of the parts that all have."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from transformers import CLIPVisionConfig, CLIPVisionModel, Dinov2Config, Dinov2Model

from signgen.errors import UserError
from signgen.models.colour_autoencoder import ColourAutoencoder
from signgen.models.positions import start_positions

SourceEncoder: TypeAlias = Dinov2Model | CLIPVisionModel
SOURCE_ENCODERS = {"dinov2": (Dinov2Config, Dinov2Model), "clip": (CLIPVisionConfig, CLIPVisionModel)}
System = TypeVar("System", bound="Sizes")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Configurations of the parts that both systems have.

    image_size, source_size: (height, width) of the images and of what the source encoder reads.
    source_kind: key of SOURCE_ENCODERS that `source_encoder` configures.
    colour_latents: whether three latent channels are the colours themselves (`ColourAutoencoder`).
    sampling: what the pipeline does where the caller does not say (steps, solver, guidance weights, framing).
    """

    image_size: tuple[int, int]
    source_size: tuple[int, int]
    autoencoder: dict[str, Any]
    source_encoder: dict[str, Any]
    scheduler: dict[str, Any]
    sampling: dict[str, Any] = field(default_factory=dict)
    source_kind: str = "dinov2"
    colour_latents: bool = False

    def build_autoencoder(self) -> AutoencoderKL:
        if not self.colour_latents:
            return AutoencoderKL(**self.autoencoder)
        vae = ColourAutoencoder(**self.autoencoder)
        vae.start_from_colours()
        return vae

    def build_source_encoder(self) -> SourceEncoder:
        config, model = SOURCE_ENCODERS[self.source_kind]
        encoder = model(config(**self.source_encoder))
        if isinstance(encoder, Dinov2Model):
            start_positions(encoder)
        return encoder

    def build_scheduler(self) -> DDIMScheduler:
        return make_scheduler(self.scheduler)


def make_scheduler(config: dict[str, Any]) -> DDIMScheduler:
    """On the CPU: numbers that solvers compute with, even where the networks are on the meta device."""
    with torch.device("cpu"):
        return DDIMScheduler(**config)


def named(presets: dict[str, System], name: str) -> System:
    """The one of that name. Raises UserError for another name."""
    if name not in presets:
        raise UserError(f"unknown model size {name!r}: choose one of {', '.join(presets)}")
    return presets[name]
