"""Adapts a model to one signer from one short clip: first the decoder learns how they look, then the denoiser how they
move."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from signgen.data.augmentation import Augmentation
from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder, discard_folder
from signgen.io.model_card import adapted_card, write_card
from signgen.io.model_location import model_folder, model_name
from signgen.poses import PoseSequence, write_poses
from signgen.rendering.framing import frame_image, poses_on_image
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.presets import Preset, preset
from signgen.systems.fpdm.train_autoencoder import AutoencoderSettings
from signgen.systems.fpdm.train_distillation import MOST_STEPS, DistillationSettings
from signgen.systems.stages import assemble
from signgen.systems.trainings import train_or_resume
from signgen.training.loop import Report
from signgen.training.settings import DataSettings, OptimizerSettings
from signgen.video.image_arrays import write_png

# What is trained and its number of steps -> where its numbers go.
Reports = Callable[[str, int], Report]


# Weights of the losses of a student whose images are composed with the transported source.
COMPOSED: dict[str, Any] = {"target": 0.2, "images": 1.0, "generated": 0.7, "ssim": 0.3}


@dataclass(frozen=True)
class Effort:
    """How long to train: steps of the decoder and of the denoiser, frames a step, and in which precision."""

    decoder: int = 200
    denoiser: int = 250
    batch_size: int = 8
    precision: str = "bf16"


def adapt(
    frames: Sequence[np.ndarray],
    poses: PoseSequence,
    output: Path,
    *,
    reports: Reports,
    model: str = "mini",
    size: str = "mini",
    effort: Effort | None = None,
) -> Path:
    """Fine-tune a few-step model to the signer of one clip and save it, in half precision, as the folder `output`.

    It is trained in the steps that it renders in, towards the clip's own latents. The encoder stays frozen, so that
    latents keep their meaning and the decoder can be trained by itself; so does the fusion model.

    Args:
        frames: the clip, uint8 (H, W, 3) each.
        poses: as many, in pixels of an image of the same shape.
        reports: makes what takes the numbers of a training's steps.
        model: what to start from: an embedded model's name or a model folder.
        size: the preset that it was made by.

    Beside `output` a hidden folder `.output.*.work` holds the framed clip and both trainings until all is done:
    stopped, the same call goes on. Returns `output`. Raises UserError for a clip or a model that this cannot be done
    with.
    """
    effort, sizes, start = effort or Effort(), preset(size), model_folder(model)
    if len(frames) != len(poses):
        raise UserError(f"the clip has {len(frames)} frames but {len(poses)} poses; they must be as many")
    if len(frames) < 2:
        raise UserError("one frame shows no movement: a model is adapted to a clip")
    if output.exists() and not (output / "model_index.json").exists():
        raise UserError(f"{output} exists and is no model folder; give the output another name")
    config = FPDMPipeline.without_weights(start).config
    if tuple(config.image_size) != sizes.image_size:
        raise UserError(f"{start} is not of {size}'s size: fine-tune it with `signgen train diffusion`")
    if config.sampling["steps"] > MOST_STEPS:
        raise UserError(
            f"{start} renders in {config.sampling['steps']} steps: distill it first (`signgen train distill`)"
        )
    work = output.with_name(f".{output.name}.{_digest(frames, poses, start, effort)}.work")
    if not (work / "clip" / "train").is_dir():
        write_clip(*_framed(frames, poses, sizes), work / "clip" / "train")
    decoder = AutoencoderSettings(
        output=str(work / "decoder"),
        steps=effort.decoder,
        optimizer=_optimizer(5e-4, effort.decoder),
        autoencoder=str(start / "vae"),
        freeze_encoder=True,
    )
    denoiser = DistillationSettings(
        output=str(work / "denoiser"),
        steps=effort.denoiser,
        optimizer=_optimizer(3e-4, effort.denoiser),
        teacher=str(start),
        student_steps=config.sampling["steps"],
        start=config.start,
        imitation=0.0,
        target=1.0,
        train_source_encoder=True,
    )
    if config.start == "transport":
        denoiser = replace(denoiser, **COMPOSED)
    for kind, settings in (("autoencoder", decoder), ("distill", denoiser)):
        settings.model = size
        settings.data = DataSettings(
            roots=[str(work / "clip")],
            preload=True,
            workers=0,
            augmentation=Augmentation(flip=0.5, keypoint_jitter=0.3),
        )
        settings.batch_size, settings.precision, settings.ema = effort.batch_size, effort.precision, 0.98
        settings.log_every, settings.checkpoint_every = 5, 50
        settings.hands = settings.face = 3.0
        train_or_resume(kind, settings, reports(settings.folder.name, settings.steps))
    training = (
        f"{effort.decoder} steps of the decoder and {effort.denoiser} of the denoiser, {effort.batch_size} frames each"
    )
    with atomic_folder(output) as unfinished:
        card = adapted_card(name=output.name, model=model_name(model), frames=len(frames), training=training)
        write_card(unfinished, card)
        assemble(denoiser.folder / "model", decoder.folder / "model", unfinished)
    discard_folder(work)
    return output


def _optimizer(rate: float, steps: int) -> OptimizerSettings:
    return OptimizerSettings(learning_rate=rate, weight_decay=0.0, warmup=steps // 20, decay="cosine")


def _framed(
    frames: Sequence[np.ndarray], poses: PoseSequence, sizes: Preset
) -> tuple[Iterable[np.ndarray], PoseSequence]:
    """The clip, framed in the same way as for rendering."""
    height, width = frames[0].shape[:2]
    placed = poses_on_image(poses, width=width, height=height)
    framing = frame_image(frames[0], placed, sizes.image_size, sizes.sampling["fit"])
    return map(framing.to_model, frames), framing.poses_to_model(placed)


def write_clip(frames: Iterable[np.ndarray], poses: PoseSequence, folder: Path) -> None:
    """A clip of frames uint8 (H, W, 3) and their poses as a plain folder of clips, which holds it alone."""
    with atomic_folder(folder) as unfinished:
        (unfinished / "clip").mkdir()
        for index, frame in enumerate(frames):
            write_png(unfinished / "clip" / f"{index:06}.png", frame)
        write_poses(poses, unfinished / "clip.npz")


def _digest(frames: Sequence[np.ndarray], poses: PoseSequence, start: Path, effort: Effort) -> str:
    """A digest of the clip and the settings, so that the work folder of another clip is not continued."""
    digest = hashlib.sha256(f"{start} {effort} {len(frames)}".encode())
    for array in (frames[0], frames[-1], poses.keypoints):
        digest.update(array.tobytes())
    return digest.hexdigest()[:8]
