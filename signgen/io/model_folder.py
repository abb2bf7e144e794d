"""Model folders: diffusers' layout, safetensors only, loaded strictly."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.utils import logging

from signgen.errors import UserError


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Loading and saving a few megabytes without transformers' progress bars."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def save_model(model: Any, folder: Path) -> None:
    """Save a network or a pipeline as a folder that does not say where on this machine its parts came from."""
    with without_progress_bars():
        model.save_pretrained(folder)
    forget_places(folder)


def forget_places(folder: Path) -> None:
    """Remove `_name_or_path`, the place a part was loaded from, which diffusers and transformers write on saving."""
    for path in (*folder.glob("*.json"), *folder.glob("*/*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def model_index(folder: Path) -> dict[str, Any]:
    """What a model folder says it holds: its class, components and settings. Raises UserError where it is damaged."""
    try:
        index = json.loads((folder / "model_index.json").read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}/model_index.json cannot be read: {error}") from error
    if not isinstance(index, dict):
        raise UserError(f"{folder}/model_index.json cannot be read: it is no JSON object")
    return index


def load_components(pipeline: type, folder: Path, dtype: torch.dtype, weights: bool = True) -> dict[str, Any]:
    """Components and settings of a pipeline from its folder, as keyword arguments of its constructor.

    weights: False makes its networks on the meta device, where they have sizes only.
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
        is_component = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
        if not is_component:
            values[name] = value
            continue
        component, part = _component(folder, name, value[0], value[1])
        if not issubclass(component, torch.nn.Module):
            values[name] = component.from_pretrained(part)
        else:
            values[name] = load_component(component, part, dtype) if weights else _empty(component, part)
    return values


def _component(folder: Path, name: str, library: str, class_name: str) -> tuple[type[Any], Path]:
    if library.split(".")[0] not in ("signgen", "diffusers", "transformers"):
        raise UserError(f"{folder}: component {name} asks for code from {library}, which is not loaded")
    part = folder / name
    if not part.is_dir():
        raise UserError(f"{folder}: component {name} is missing")
    return getattr(importlib.import_module(library), class_name), part


def _empty(component: type[Any], folder: Path) -> Any:
    with torch.device("meta"):
        if issubclass(component, PreTrainedModel):
            return component(component.config_class.from_pretrained(folder))
        return component.from_config(component.load_config(folder))


def load_component(
    component: type[Any], folder: Path, dtype: torch.dtype = torch.float32, elsewhere: tuple[str, ...] = ()
) -> Any:
    """One network of a model from its own folder, in eval mode.

    Strict: a missing, unexpected or misshapen tensor is a UserError that names it. elsewhere: prefixes of tensors
    that belong to other networks.
    """
    if not (folder / "config.json").exists():
        raise UserError(f"{folder} is not the folder of a {component.__name__}: it has no config.json")
    try:
        with without_progress_bars():
            model, report = component.from_pretrained(
                folder, torch_dtype=dtype, output_loading_info=True, use_safetensors=True, local_files_only=True
            )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(f"{folder} cannot be loaded: {str(error).splitlines()[0]}") from error
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if found := sorted(str(key) for key in report[problem] if not str(key).startswith(elsewhere)):
            tensors = ", ".join(found[:3])
            raise UserError(f"{folder}: {len(found)} {problem.replace('_keys', '')} tensors: {tensors}")
    return model.eval()
