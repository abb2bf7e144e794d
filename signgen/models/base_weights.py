"""Base weights: networks that others have trained, by folder or hub id, for the settings that name them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, PriorTransformer, UNet2DConditionModel
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import nn
from transformers import CLIPVisionModel, CLIPVisionModelWithProjection, Dinov2Model

from signgen.errors import UserError
from signgen.io.model_config import read_config
from signgen.io.model_folder import load_component
from signgen.models.colour_autoencoder import ColourAutoencoder
from signgen.models.fusion import ImagePoseFusion


@dataclass(frozen=True)
class Base:
    """What a setting may name: which network, whose, where it lies in its repository.

    others: prefixes of tensors in the same file that belong to other networks.
    """

    component: type[nn.Module]
    origin: str
    subfolder: str = ""
    file: str = "model.safetensors"
    others: tuple[str, ...] = ()


# CLIP's files hold its text tower as well; its tables of positions 0, 1, 2, ... are made anew.
CLIP_TEXT = ("text_model.", "text_projection.", "logit_scale", "vision_model.embeddings.position_ids")
DIFFUSION_FILE = "diffusion_pytorch_model.safetensors"
BASES = {
    "pretrained_unet": Base(UNet2DConditionModel, "Stable Diffusion 2.1", "unet", DIFFUSION_FILE),
    "autoencoder": Base(AutoencoderKL, "Stable Diffusion 2.1", "vae", DIFFUSION_FILE),
    "pretrained_source_encoder": Base(Dinov2Model, "DINOv2-large"),
    "image_encoder": Base(CLIPVisionModelWithProjection, "OpenCLIP ViT-H/14", others=CLIP_TEXT),
    "pretrained_prior": Base(PriorTransformer, "Kandinsky 2.2", "prior", DIFFUSION_FILE),
    "pretrained_encoder": Base(CLIPVisionModelWithProjection, "CLIP ViT-L/14", others=CLIP_TEXT),
}
CLIP_SOURCE_ENCODER = Base(CLIPVisionModel, "CLIP ViT-L/14", others=(*CLIP_TEXT, "visual_projection."))


def load_base(setting: str, place: str, base: Base | None = None) -> Any:
    """The network that `setting` names by a folder or a hub id, in float32 and eval mode.

    The folder may be the network's own or one that holds it under its usual name (Stable Diffusion's `unet/`).
    Raises UserError, saying what to download and where to put it, where there is none.
    """
    base = base or BASES[setting]
    folder = base_folder(setting, place, base)
    if setting == "autoencoder":
        return load_autoencoder(folder)
    return load_component(base.component, folder, elsewhere=base.others)


def load_autoencoder(folder: Path, dtype: torch.dtype = torch.float32) -> AutoencoderKL:
    """An autoencoder from its own folder, of the class that its configuration names."""
    config = folder / "config.json"
    colours = config.is_file() and read_config(config).get("_class_name") == ColourAutoencoder.__name__
    return load_component(ColourAutoencoder if colours else AutoencoderKL, folder, dtype)


def base_folder(setting: str, place: str, base: Base) -> Path:
    """The folder of a network, fetched from the hub unless `place` is a folder."""
    if not Path(place).is_dir():
        place = _fetched(setting, place, base)
    inner = Path(place) / base.subfolder
    return inner if (inner / "config.json").exists() else Path(place)


def load_image_encoder(place: str, config: dict[str, Any]) -> CLIPVisionModelWithProjection:
    """What `image_encoder` names: a CLIP model by folder or hub id, or the tower of a fusion model. `config`: what it
    must be like. Raises UserError for another one."""
    fusion = Path(place) / "config.json"
    if fusion.is_file() and read_config(fusion).get("_class_name") == ImagePoseFusion.__name__:
        encoder = load_component(ImagePoseFusion, Path(place)).encoder
    else:
        encoder = load_base("image_encoder", place)
    if encoder.config.projection_dim != config["projection_dim"]:
        raise UserError(
            f"image_encoder has embeddings of width {encoder.config.projection_dim}, the model needs "
            f"{config['projection_dim']}"
        )
    return encoder


def copy_weights(network: nn.Module, pretrained: nn.Module, setting: str, but: str = "") -> None:
    """Fill a network with the weights of another, all `but` one tensor, which stays. Raises UserError where they differ
    in shape."""
    try:
        network.load_state_dict(pretrained.state_dict() | ({but: network.state_dict()[but]} if but else {}))
    except RuntimeError as error:
        reason = " ".join(str(error).splitlines()[1].split())
        raise UserError(f"{setting} is of another size than the setting model asks for: {reason}") from error


def _fetched(setting: str, place: str, base: Base) -> str:
    files = [str(Path(base.subfolder, name)) for name in ("config.json", base.file)]
    try:
        return snapshot_download(place, allow_patterns=files)
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        # Only owner/name can be a hub id: of a path there is nothing to say about the hub.
        reason = "" if isinstance(error, HFValidationError) else f", nor does the hub give it ({type(error).__name__})"
        raise UserError(
            f"{setting}: there is no folder {place}{reason}: download {' and '.join(files)} of {base.origin} into a "
            f"folder and set {setting} to that folder, or to a hub id that can be reached"
        ) from error
