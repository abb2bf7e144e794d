"""Runs the trainings of a system in their order. Each one uses what those before it made."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import torch

from signgen.io.model_card import CARD, assembled_card, write_card
from signgen.io.model_folder import save_model
from signgen.models.base_weights import load_autoencoder
from signgen.runtime.ranks import by_main_process, is_main_process
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.training.loop import Report

FPDM_STAGES = ("autoencoder", "fusion", "diffusion")
# From nothing: the autoencoder's decoder is trained on by itself, and the model distilled to few steps.
MINI_STAGES = ("autoencoder", "decoder", "fusion", "diffusion", "distill")
# Autoencoder and fusion model, whose tower embeds images, where they are trained here: the published ones are not.
PCDM_STAGES = ("autoencoder", "fusion", "pcdm-prior", "pcdm-inpaint", "pcdm-refine")
# Stage -> its settings that name what other stages make.
PARTS = {
    "decoder": {"autoencoder": "autoencoder"},
    "diffusion": {"autoencoder": "autoencoder", "fusion": "fusion"},
    "distill": {"teacher": "diffusion"},
    "pcdm-prior": {"image_encoder": "fusion"},
    "pcdm-inpaint": {"autoencoder": "autoencoder", "image_encoder": "fusion", "prior": "pcdm-prior"},
    "pcdm-refine": {"inpaint": "pcdm-inpaint"},
}


def train_stages(configs: Path, work: Path, overrides: Iterable[str] = (), stages: Sequence[str] = FPDM_STAGES) -> Path:
    """Train every stage that has a configuration `configs/STAGE.yaml`, in `work/STAGE`; returns the last one's model.

    Before PCDMs' third stage its coarse images are made, in `work/coarse`. A training that is complete is not
    repeated, and one that was stopped is continued. overrides: `key=value` for all stages, or `STAGE:key=value` for
    one. Raises UserError as `train`
    does.
    """
    made: dict[str, Path] = {}
    for stage in stages:
        config = configs / f"{stage}.yaml"
        if not config.exists():
            continue
        parts = [f"{name}={made[maker]}" for name, maker in PARTS.get(stage, {}).items() if maker in made]
        given = [f"output={work / stage}", *parts, *of_stage(stage, overrides)]
        if stage == "pcdm-refine":
            given += [f"coarse={work / 'coarse'}", "validation=[]"]  # there are no coarse images to validate on
            make_images(config, given)
        kind = "autoencoder" if stage == "decoder" else stage
        made[kind] = train_stage(kind, config, given, name=stage)
    return list(made.values())[-1]


def make_images(config: Path, overrides: Iterable[str]) -> None:
    """The coarse images that the pcdm-refine training of that configuration needs."""
    from signgen.systems.pcdm.coarse_images import make_coarse
    from signgen.systems.pcdm.train_refine import RefineSettings
    from signgen.systems.trainings import load_settings

    settings = load_settings("pcdm-refine", config, overrides)
    assert isinstance(settings, RefineSettings)
    count = by_main_process(lambda: make_coarse(settings))
    if count and is_main_process():
        print(f"coarse {count} images", flush=True)


def train_stage(kind: str, config: Path, overrides: Iterable[str], name: str) -> Path:
    """Run or continue one training. Its numbers are printed under `name`. Returns its model."""
    from signgen.systems.trainings import load_settings, train_or_resume

    report: Report = partial(print, name, flush=True)
    return train_or_resume(kind, load_settings(kind, config, overrides), report)


def of_stage(stage: str, overrides: Iterable[str]) -> list[str]:
    """Those of `[STAGE:]key=value` overrides that are for a stage, without the prefix that names it."""
    names = tuple(f"{name}:" for name in (*MINI_STAGES, *PCDM_STAGES))
    for_all = [override for override in overrides if not override.startswith(names)]
    own = [override.removeprefix(f"{stage}:") for override in overrides if override.startswith(f"{stage}:")]
    return for_all + own


def assemble(diffusion: Path, decoder: Path, output: Path) -> None:
    """Save a trained pipeline, in half precision, with a decoder that was trained separately. An existing card is
    kept."""
    pipeline = FPDMPipeline.from_pretrained(diffusion, dtype=torch.float16)
    pipeline.register_modules(vae=load_autoencoder(decoder, torch.float16))
    save_model(pipeline, output)
    if (diffusion / CARD).exists():
        write_card(output, assembled_card(diffusion, decoder))
