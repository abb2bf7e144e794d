"""The card of a model as its training writes it."""

from pathlib import Path

from signgen.io.model_card import trained_card
from signgen.training.settings import TrainingSettings

# Settings of the several trainings that name what a model began with or is made with.
ORIGINS = (
    "fine_tune teacher autoencoder fusion image_encoder prior inpaint "
    "pretrained_unet pretrained_source_encoder pretrained_encoder pretrained_prior"
).split()


def run_card(settings: TrainingSettings, step: int, folder: Path) -> str:
    """The card of the model that was saved as `folder` after so many steps."""
    training = (
        f"Trained for {step:,} of {settings.steps:,} steps of {settings.batch_size} pairs, at a learning rate "
        f"of {settings.optimizer.learning_rate:g} ({settings.optimizer.decay}), in {settings.precision}, with seed "
        f"{settings.seed}."
    )
    starts = {name.replace("_", " "): getattr(settings, name, "") for name in ORIGINS}
    return trained_card(
        folder,
        name=settings.folder.resolve().name,
        training=training,
        corpora=[f"{root} ({settings.data.split})" for root in settings.data.roots],
        starts={what: where for what, where in starts.items() if where not in ("", "???")},
    )
