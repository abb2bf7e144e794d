"""Lists what a training reads (corpora, lists of pairs, models) and says whether it exists."""

from dataclasses import dataclass
from pathlib import Path

from signgen.data import open_corpus
from signgen.errors import UserError
from signgen.io.model_location import embedded_models
from signgen.training.settings import TrainingSettings

MODELS = (
    "autoencoder",
    "fusion",
    "fine_tune",
    "teacher",
    "pretrained_unet",
    "pretrained_source_encoder",
    "pretrained_encoder",
    "image_encoder",
    "prior",
    "pretrained_prior",
    "inpaint",
    "coarse",
)


@dataclass(frozen=True)
class Input:
    """What a setting names; `found` describes what is there, None: nothing on this machine."""

    setting: str
    place: str
    found: str | None


def training_inputs(settings: TrainingSettings) -> list[Input]:
    """Everything that the settings name to be read, whether it exists or not."""
    inputs = [Input("data.roots", root, _clips(root, settings.data.split)) for root in settings.data.roots]
    inputs += [Input("validation", root, _clips(root, "dev")) for root in settings.validation]
    places = {name: getattr(settings, name, "") for name in MODELS} | {"data.pairs": settings.data.pairs}
    inputs += [Input(name, place, _kind(place)) for name, place in places.items() if place]
    return inputs


def _kind(place: str) -> str | None:
    if place in embedded_models():
        return "embedded model"
    path = Path(place)
    return ("folder" if path.is_dir() else "file") if path.exists() else None


def _clips(root: str, split: str) -> str | None:
    try:
        return f"{len(open_corpus(root, split))} clips in {split}"
    except UserError:
        return None
