"""Converts published PCDMs checkpoints to signgen model folders. Every tensor must have a place in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder
from signgen.io.model_card import converted_card, write_card
from signgen.io.model_config import read_config
from signgen.io.model_folder import save_model
from signgen.io.torch_checkpoint import StoredTensor
from signgen.models.base_weights import BASES, load_base
from signgen.poses.skeletons import OPENPOSE_18
from signgen.systems.fpdm.conversion import Conversion, checkpoint_tensors, filled
from signgen.systems.pcdm.pipeline import PCDMPipeline
from signgen.systems.pcdm.presets import PAPER, PCDMPreset

UNET_PLACES = {
    "unet.class_embedding.": "fusion_projection.",
    "unet.": "unet.",
    "pose_proj.": "pose_encoder.",
    "image_proj_model_p.net.": "source_projection.",
}


def _pose_places(encoder: str, projection: str, place: str) -> dict[str, str]:
    """The published encoders count layers without parameters that ours do not have, and project outside."""
    layers = {0: 0, 3: 2, 4: 3, 6: 4}
    return {f"{encoder}.net.{old}.": f"{place}.{new}." for old, new in layers.items()} | {
        f"{projection}.": f"{place}.5."
    }


PRIOR_PLACES = {
    **_pose_places("pose_encoder", "encoder_hidden_states_proj", "source_pose_encoder"),
    **_pose_places("pose_encoder1", "encoder_hidden_states_proj1", "target_pose_encoder"),
    **{
        name: f"transformer.{name}"
        for name in (
            "positional_embedding",
            "prd_embedding",
            "time_embedding.",
            "proj_in.",
            "embedding_proj.",
            "transformer_blocks.",
            "norm_out.",
            "proj_to_clip_embeddings.",
        )
    },
}


@dataclass(frozen=True)
class Stage:
    """A stage's checkpoint. mark: a prefix that its names alone have. places: prefix there -> prefix here."""

    number: int
    mark: str
    places: dict[str, str]
    build: Callable[[PCDMPreset], nn.Module]


# In the order in which their marks tell them apart: stage 3 has nothing that stage 2 has not.
STAGES = {
    "prior": Stage(1, "prd_embedding", PRIOR_PLACES, PCDMPreset.build_prior),
    "inpaint": Stage(2, "pose_proj.", UNET_PLACES, PCDMPreset.build_inpaint),
    "refine": Stage(3, "image_proj_model_p.", UNET_PLACES, PCDMPreset.build_refine),
}


def convert_pcdm(
    checkpoints: Sequence[Path],
    output: Path,
    config: Path | None = None,
    parts: dict[str, nn.Module] | None = None,
    size: tuple[int, int] | None = None,
    skeleton: str = OPENPOSE_18,
) -> Conversion:
    """Convert the training checkpoints of the three stages to a model folder, or a single one to a folder of its
    network.

    config: the sizes of the networks as JSON; without it they are the paper's. size: (height, width) of the images;
    the published code knows 512x512 alone. skeleton: whose pose maps they were trained on; the published code draws
    OpenPose's 18 points. parts: the frozen networks that the
    checkpoints do not hold (`vae`, `source_encoder`, `image_encoder`): without them the model cannot render. Raises
    UserError for anything missing, unexpected or misshapen, and then writes nothing.
    """
    sizes = _sizes(config) if config else PAPER
    sizes = replace(sizes, image_size=size or sizes.image_size)
    report = Conversion()
    networks: dict[str, Any] = {}
    for path in checkpoints:
        tensors = checkpoint_tensors(path, "module", "a PCDMs training checkpoint")
        name = stage_of(path, tensors)
        if name in networks:
            raise UserError(f"{path} is of stage {STAGES[name].number}, as another of the checkpoints is")
        state = {_place(path, key, STAGES[name].places): stored.read().float() for key, stored in tensors.items()}
        networks[name] = _network(name, sizes, state)
        report.used += len(state)
    if len(networks) not in (1, len(STAGES)):
        raise UserError(f"here are the stages {' and '.join(networks)}: give all three, or one")
    with atomic_folder(output) as temporary:
        single = len(networks) == 1
        save_model(
            next(iter(networks.values())) if single else _pipeline(sizes, networks, parts or {}, skeleton), temporary
        )
        write_card(temporary, converted_card(temporary, name=output.name, checkpoints=checkpoints, system="PCDMs"))
    return report


def base_parts(places: dict[str, str]) -> dict[str, nn.Module]:
    """The networks that `convert_pcdm` takes as parts, by the settings that name them; empty ones are left out."""
    components = {
        "autoencoder": ("vae", "autoencoder"),
        "source_encoder": ("source_encoder", "pretrained_source_encoder"),
        "image_encoder": ("image_encoder", "image_encoder"),
    }
    found = {}
    for name, place in places.items():
        if place:
            component, base = components[name]
            found[component] = load_base(name, place, BASES[base])
    return found


def stage_of(path: Path, tensors: dict[str, StoredTensor]) -> str:
    """The name of the stage whose checkpoint holds these tensors."""
    for name, stage in STAGES.items():
        if any(key.startswith(stage.mark) for key in tensors):
            return name
    raise UserError(f"{path} is of none of PCDMs' stages: its first tensor is {next(iter(tensors))}")


def _place(path: Path, name: str, places: dict[str, str]) -> str:
    """The name here of a checkpoint's tensor; the longest prefix that fits counts."""
    prefix = max((prefix for prefix in places if name.startswith(prefix)), key=len, default=None)
    if prefix is None:
        raise UserError(f"{path}: tensor {name} belongs to no part of PCDMs: this is another kind of checkpoint")
    return places[prefix] + name.removeprefix(prefix)


def _network(name: str, sizes: PCDMPreset, state: dict[str, Tensor]) -> Any:
    return filled(lambda: STAGES[name].build(sizes), {name: state}, name)


def _pipeline(sizes: PCDMPreset, networks: dict[str, Any], parts: dict[str, Any], skeleton: str) -> PCDMPipeline:
    return PCDMPipeline(
        vae=parts.get("vae"),
        source_encoder=parts.get("source_encoder"),
        image_encoder=parts.get("image_encoder"),
        **networks,
        scheduler=sizes.build_scheduler(),
        prior_scheduler=sizes.build_prior_scheduler(),
        image_size=sizes.image_size,
        source_size=sizes.source_size,
        sampling=sizes.sampling,
        skeleton=skeleton,
    )


def _sizes(path: Path) -> PCDMPreset:
    """The sizes that a config.json gives; what it does not say is as published."""
    try:
        given = read_config(path)
        prior = given["prior"]
        if (prior.get("num_embeddings", 2), prior.get("additional_embeddings", 4)) != (2, 4):
            raise ValueError("the prior reads two poses and four more tokens")
        dim = prior["embedding_dim"]
        unets = {
            stage: {"unet_config": given["unet"] | {"in_channels": given[stage]["in_channels"]}}
            for stage in ("inpaint", "refine")
        }
        unets["inpaint"]["fusion_dim"] = given["inpaint"]["projection_class_embeddings_input_dim"]
        return replace(
            PAPER,
            prior={
                "embedding_dim": dim,
                "heads": prior["num_attention_heads"],
                "head_width": prior["attention_head_dim"],
                "layers": prior["num_layers"],
            },
            inpaint=PAPER.inpaint | unets["inpaint"],
            refine=PAPER.refine | unets["refine"],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} does not give the sizes of PCDMs' parts ({type(error).__name__}: {error})") from error
