"""The parts that a model folder may hold, by the names of their classes, and how they are loaded.

A saved model names classes and no modules of ours, so that modules can move. Folders that name modules load as well.
"""

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from transformers import CLIPVisionModel, CLIPVisionModelWithProjection, Dinov2Model, PreTrainedModel

from signgen.errors import UserError
from signgen.io.model_folder import load_component, model_index
from signgen.models.fusion import ImagePoseFusion
from signgen.models.prior import PosePrior
from signgen.models.unet import ConditionalUNet
from signgen.sampling.solvers import SOLVERS

NETWORKS = (
    AutoencoderKL,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    ConditionalUNet,
    Dinov2Model,
    ImagePoseFusion,
    PosePrior,
)
COMPONENTS: dict[str, type[Any]] = {component.__name__: component for component in (*NETWORKS, *SOLVERS.values())}


def load_components(pipeline: type, folder: Path, dtype: torch.dtype, weights: bool = True) -> dict[str, Any]:
    """Components and settings of a pipeline from its folder, as keyword arguments of its constructor.

    weights: False makes its networks on the meta device, where they have sizes only. Raises UserError for a folder of
    another pipeline, and for a component that is missing, damaged or of a class that is not in `COMPONENTS`.
    """
    index = model_index(folder)
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
            values[name] = component.from_pretrained(part)
        else:
            values[name] = load_component(component, part, dtype) if weights else _empty(component, part)
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
    if class_name not in COMPONENTS:
        known = ", ".join(sorted(COMPONENTS))
        raise UserError(f"{folder}: component {name} is a {class_name} of {library}; signgen loads only: {known}")
    part = folder / name
    if not part.is_dir():
        raise UserError(f"{folder}: component {name} is missing")
    return COMPONENTS[class_name], part


def _empty(component: type[Any], folder: Path) -> Any:
    with torch.device("meta"):
        if issubclass(component, PreTrainedModel):
            return component(component.config_class.from_pretrained(folder))
        return component.from_config(component.load_config(folder))
