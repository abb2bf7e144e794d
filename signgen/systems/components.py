"""The parts that a model folder may hold, by the names of their classes, and how they are loaded.

A saved model names classes and no modules of ours, so that modules can move. Folders that name modules load as well.
"""

import json
from inspect import signature
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import torch
from diffusers import AutoencoderKL
from transformers import CLIPVisionModel, CLIPVisionModelWithProjection, Dinov2Model

from signgen.errors import UserError
from signgen.io.model_config import model_index
from signgen.io.model_folder import empty_component, load_component, load_scheduler
from signgen.models.colour_autoencoder import ColourAutoencoder
from signgen.models.composition import Composition
from signgen.models.fusion import ImagePoseFusion
from signgen.models.prior import PosePrior
from signgen.models.unet import ConditionalUNet
from signgen.sampling.solvers import SOLVERS

NETWORKS = (
    AutoencoderKL,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    ColourAutoencoder,
    Composition,
    ConditionalUNet,
    Dinov2Model,
    ImagePoseFusion,
    PosePrior,
)
MAX_SIDE = 4096  # pixels of the images that a model makes
RENAMED = {"picture_size": "image_size"}
"""Settings of older model folders -> their names now."""
COMPONENTS: dict[str, type[Any]] = {component.__name__: component for component in (*NETWORKS, *SOLVERS.values())}


def load_components(pipeline: type, folder: Path, dtype: torch.dtype, weights: bool = True) -> dict[str, Any]:
    """Components and settings of a pipeline from its folder, as keyword arguments of its constructor.

    weights: False makes its networks on the meta device, where they have sizes only. Raises UserError for a folder of
    another pipeline, and for a component that is missing, damaged or of a class that is not in `COMPONENTS`.
    """
    index = {RENAMED.get(name, name): value for name, value in model_index(folder).items()}
    if index.get("_class_name") != pipeline.__name__:
        raise UserError(f"{folder} holds a {index.get('_class_name')}, not a {pipeline.__name__}")
    values: dict[str, Any] = {}
    for name, value in index.items():
        if name.startswith("_"):
            continue
        if value == [None, None]:  # diffusers' way to say that a component is left out
            values[name] = None
            continue
        if not _is_component(value):
            values[name] = value
            continue
        component, part = _component(folder, name, *value)
        if not issubclass(component, torch.nn.Module):
            values[name] = load_scheduler(component, part)
        else:
            values[name] = load_component(component, part, dtype) if weights else empty_component(component, part)
    _check_arguments(pipeline, values, folder)
    return values


def forget_modules(folder: Path) -> None:
    """Write "signgen" where diffusers wrote, into the index of a saved pipeline, in which of our modules a class is."""
    index = model_index(folder)
    for name, value in index.items():
        if _is_component(value) and value[0].startswith("signgen."):
            index[name] = ["signgen", value[1]]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _is_component(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _component(folder: Path, name: str, library: str, class_name: Any) -> tuple[type[Any], Path]:
    if not isinstance(class_name, str) or class_name not in COMPONENTS:
        known = ", ".join(sorted(COMPONENTS))
        raise UserError(f"{folder}: component {name} is a {class_name} of {library}; signgen loads only: {known}")
    part = folder / name
    if not part.is_dir():
        raise UserError(f"{folder}: component {name} is missing")
    return COMPONENTS[class_name], part


def _check_arguments(pipeline: type, values: dict[str, Any], folder: Path) -> None:
    """UserError where parts and settings of a folder are not those that its pipeline is made of."""
    kinds = get_type_hints(pipeline.__init__)  # type: ignore[misc]  # a class's, not an instance's
    del kinds["return"]
    required = {
        name for name, parameter in signature(pipeline).parameters.items() if parameter.default is parameter.empty
    }
    for problem, names in (("missing", required - values.keys()), ("unknown", values.keys() - kinds.keys())):
        if names:
            raise UserError(f"{folder}/model_index.json: {', '.join(sorted(names))[:100]} is {problem}")
    for name, value in values.items():
        if not _is_a(value, kinds[name]):
            raise UserError(
                f"{folder}/model_index.json: {name} cannot be {value if _is_plain(value) else type(value).__name__}"
            )


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | list | dict | None)


def _is_a(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind, as type hints write it; sizes in pixels are two numbers of a reasonable height."""
    options = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    for option in options:
        origin = get_origin(option) or option
        if origin is tuple:
            sizes = isinstance(value, list | tuple) and [type(side) is int and 0 < side <= MAX_SIDE for side in value]
            if sizes == [True] * len(get_args(option)):
                return True
        elif isinstance(value, origin):
            return True
    return False
