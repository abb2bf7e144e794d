"""Converts published FPDM checkpoints to signgen model folders. Every tensor must have a place in them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import isqrt
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder
from signgen.io.model_card import converted_card, write_card
from signgen.io.model_config import read_config
from signgen.io.model_folder import SPARE_TENSORS, at_most, described, save_model
from signgen.io.torch_checkpoint import StoredTensor, read_checkpoint
from signgen.poses.skeletons import OPENPOSE_18
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.presets import PAPER, Preset

# Prefix in the checkpoint -> component and prefix there. The longest prefix that fits counts.
COMPONENTS = {
    "vae.": ("vae", ""),
    "src_image_encoder.": ("source_encoder", ""),
    "unet.": ("unet", "unet."),
    "unet.class_embedding.net.": ("unet", "fusion_projection."),
    "sd_model.srcimage_proj_model.net.": ("unet", "source_projection."),
    "sd_model.pose_t_proj.": ("unet", "pose_encoder."),
    "fusion_model.img_encoder.": ("fusion", "encoder."),
    "fusion_model.combiner.": ("fusion", "combiner."),
}

# The same module under a second name.
DUPLICATES = {
    "sd_model.unet.": "unet.",
    "fusion_model.pose_encoder.": "fusion_model.img_encoder.",
}

# Names of parts that are called otherwise here, or are called otherwise by the installed transformers.
RENAMED = {
    "fusion": {
        "combiner.kpt_projection_layer.": "combiner.pose_projection.",
        "combiner.image_projection_layer.": "combiner.image_projection.",
        "combiner.combiner_layer.": "combiner.combination.",
        "combiner.output_layer.": "combiner.output.",
        "combiner.dynamic_scalar.": "combiner.balance.",
    },
    "source_encoder": {
        ".attention.attention.query.": ".attention.q_proj.",
        ".attention.attention.key.": ".attention.k_proj.",
        ".attention.attention.value.": ".attention.v_proj.",
        ".attention.output.dense.": ".attention.o_proj.",
    },
}

# Constants that older versions of transformers stored.
DROPPED = re.compile(r".*\.position_ids$")


@dataclass
class Conversion:
    """The result of a conversion: how many tensors are used, how many are equal copies, and which were dropped."""

    used: int = 0
    duplicates: int = 0
    dropped: list[str] = field(default_factory=list)


def convert_fpdm(
    checkpoint: Path,
    output: Path,
    config: Path | None = None,
    size: tuple[int, int] | None = None,
    skeleton: str = OPENPOSE_18,
) -> Conversion:
    """Convert an FPDM training checkpoint (stage 2), or one of its stage 1 alone, to a model folder.

    config: the sizes of the parts as JSON; without it they are the paper's, and those of the images what the
    checkpoint says. size: of the images, (height, width), whatever is said elsewhere. skeleton: whose pose maps the
    model was trained on; the published code draws OpenPose's 18 points. A stage-1 checkpoint becomes a folder of the
    fusion model. Raises UserError for anything missing, unexpected, misshapen or contradictory, and then writes
    nothing.
    """
    sizes = _sizes(config) if config else PAPER
    tensors = checkpoint_tensors(checkpoint, "state_dict", "an FPDM training checkpoint")
    stage_1 = not any(name.startswith("unet.") for name in tensors)
    if stage_1:
        tensors = {_stage_2_name(name): tensor for name, tensor in tensors.items()}
    elif not config:
        sizes = _sizes_of_images(checkpoint, sizes, size)
    sizes = replace(sizes, image_size=size or sizes.image_size)
    report = Conversion()
    states = _sort(tensors, report)
    with atomic_folder(output) as temporary:
        model = filled(sizes.build_fusion, states, "fusion") if stage_1 else _pipeline(sizes, states, skeleton)
        save_model(model, temporary)
        write_card(temporary, converted_card(temporary, name=output.name, checkpoints=[checkpoint], system="FPDM"))
    return report


def checkpoint_tensors(checkpoint: Path, key: str, kind: str) -> dict[str, StoredTensor]:
    """The tensors that a training checkpoint keeps under `key`. Raises UserError where it is not of that `kind`."""
    content = read_checkpoint(checkpoint).get(key)
    if not isinstance(content, dict) or not content:
        raise UserError(f"{checkpoint} holds no {key}: it is not {kind}")
    strange = [name for name, tensor in content.items() if not isinstance(tensor, StoredTensor)]
    if strange:
        raise UserError(f"{checkpoint}: {strange[0]} is not a tensor")
    return content


def _stage_2_name(name: str) -> str:
    """Stage 1's names are those that stage 2 knows under `fusion_model.`."""
    return name if name.startswith("fusion_model.") else f"fusion_model.{name}"


def _sort(tensors: dict[str, StoredTensor], report: Conversion) -> dict[str, dict[str, Tensor]]:
    """Tensors by component under their names there; copies are compared with what they copy."""
    states: dict[str, dict[str, Tensor]] = {}
    for name, stored in tensors.items():
        if DROPPED.match(name):
            report.dropped.append(name)
        elif original := _original(name):
            if original not in tensors or not torch.equal(stored.read(), tensors[original].read()):
                raise UserError(f"{name} should equal {original}, and does not")
            report.duplicates += 1
        else:
            component, place = _place(name)
            states.setdefault(component, {})[place] = stored.read().float()
            report.used += 1
    return states


def _original(name: str) -> str | None:
    for prefix, original in DUPLICATES.items():
        if name.startswith(prefix):
            return original + name.removeprefix(prefix)
    return None


def _place(name: str) -> tuple[str, str]:
    """Component and name there of a checkpoint's tensor."""
    prefix = max((prefix for prefix in COMPONENTS if name.startswith(prefix)), key=len, default=None)
    if prefix is None:
        raise UserError(f"tensor {name} belongs to no part of FPDM: this is another kind of checkpoint")
    component, new_prefix = COMPONENTS[prefix]
    place = new_prefix + name.removeprefix(prefix)
    for old, new in RENAMED.get(component, {}).items():
        place = place.replace(old, new)
    return component, place


def _sizes_of_images(checkpoint: Path, sizes: Preset, size: tuple[int, int] | None) -> Preset:
    """With the sizes that the checkpoint's own settings give; UserError where nobody says that of the images."""
    given = read_checkpoint(checkpoint).get("hyper_parameters")
    found: dict[str, Any] = {}
    for name, setting in (("image_size", "model_img_size"), ("source_size", "src_encoder_size")):
        match given.get(setting) if isinstance(given, dict) else None:
            case [int(width), int(height)] if min(width, height) > 0:
                found[name] = (height, width)
    if not (size or "image_size" in found):
        raise UserError(f"{checkpoint} does not say how large its images are: give --size, such as 352x512")
    return replace(sizes, **found)


def _pipeline(sizes: Preset, states: dict[str, dict[str, Tensor]], skeleton: str) -> FPDMPipeline:
    if "embeddings.position_embeddings" in states.get("source_encoder", {}):
        encoder = _positions_as_published(states["source_encoder"], sizes.source_encoder, sizes.source_size)
        sizes = replace(sizes, source_encoder=encoder)
    return FPDMPipeline(
        vae=filled(sizes.build_autoencoder, states, "vae"),
        source_encoder=filled(sizes.build_source_encoder, states, "source_encoder"),
        fusion=filled(sizes.build_fusion, states, "fusion"),
        unet=filled(sizes.build_unet, states, "unet"),
        scheduler=sizes.build_scheduler(),
        image_size=sizes.image_size,
        source_size=sizes.source_size,
        sampling=sizes.sampling,
        skeleton=skeleton,
    )


def _positions_as_published(
    states: dict[str, Tensor], encoder: dict[str, Any], size: tuple[int, int]
) -> dict[str, Any]:
    """Resample the source encoder's position embeddings to the grid that it is used at; returns its configuration.

    The implementation that trained the model scaled them by (n + 0.1) / m at every call, today's scales by n / m: a
    difference of 2 % in the tokens. Resampled here once, they need no scaling at all.
    """
    patch, name = encoder["patch_size"], "embeddings.position_embeddings"
    rows, columns = size[0] // patch, size[1] // patch
    side = isqrt(states[name].shape[1] - 1)
    if rows != columns:
        raise UserError(f"the source encoder reads {size[1]}x{size[0]}: published models read squares")
    if rows == side:
        return encoder
    grid = states[name][:, 1:].unflatten(1, (side, side)).movedim(-1, 1)
    scale = (rows + 0.1) / side
    grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
    states[name] = torch.cat([states[name][:, :1], grid.flatten(2).mT], dim=1)
    return encoder | {"image_size": rows * patch}


def filled(build: Callable[[], nn.Module], states: dict[str, dict[str, Tensor]], name: str) -> Any:
    """A component with a checkpoint's tensors, every one of them and no other."""
    state = states.get(name, {})
    with described(f"the sizes of {name}"), torch.device("meta"), at_most(SPARE_TENSORS + 2 * len(state)):
        expected = build().state_dict()
    for kind, names in (("missing", expected.keys() - state), ("unexpected", state.keys() - expected)):
        if names:
            raise UserError(f"{name}: {len(names)} {kind} tensors in the checkpoint: {', '.join(sorted(names)[:3])}")
    for key, tensor in state.items():
        if tensor.shape != expected[key].shape:
            shapes = f"{tuple(tensor.shape)}, not {tuple(expected[key].shape)}"
            raise UserError(f"{name}: {key} has shape {shapes}: give the sizes with --config")
    module = build()
    module.load_state_dict(state)
    return module.eval()


def _sizes(path: Path) -> Preset:
    """The sizes that a config.json gives; what it does not say is as published."""
    try:
        given = read_config(path)
        unet = {key: value for key, value in given["unet"].items() if not key.startswith(("class_", "projection_"))}
        width, height = given["model_img_size"]
        source_width, source_height = given["src_encoder_size"]
        guidance = given.get("guidance_scale", PAPER.sampling["guidance_source"])
        return replace(
            PAPER,
            image_size=(height, width),
            source_size=(source_height, source_width),
            autoencoder=given["vae"],
            source_encoder=given["dino"],
            fusion={**PAPER.fusion, "clip": given["clip"]},
            unet={
                "unet_config": unet,
                "source_dim": given["dino"]["hidden_size"],
                "fusion_dim": given["clip"]["projection_dim"],
            },
            scheduler=given["scheduler"],
            sampling=PAPER.sampling
            | {
                "steps": given.get("num_inference_steps", PAPER.sampling["steps"]),
                "guidance_source": guidance,
                "guidance_fusion": guidance,
            },
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} does not give the sizes of FPDM's parts ({type(error).__name__}: {error})") from error
