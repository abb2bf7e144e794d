"""Model folders: diffusers' layout, safetensors only, loaded strictly."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
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
