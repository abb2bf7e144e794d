"""Model folders: diffusers' layout, safetensors only, loaded strictly."""

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging as diffusers_logging
from safetensors import safe_open
from torch.nn.modules.module import register_module_parameter_registration_hook
from transformers import PreTrainedModel
from transformers.utils import logging

from signgen.errors import UserError, one_line
from signgen.io.limits import check_plain
from signgen.io.model_config import read_config

SPARE_TENSORS, SPARE_NUMBERS = 100, 10_000_000  # of a network, beyond twice those that are stored for it


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Loading and saving without the progress bars, warnings and reports of libraries: what counts is checked here."""
    shown, level, diffusers_level = (
        logging.is_progress_bar_enabled(),
        logging.get_verbosity(),
        diffusers_logging.get_verbosity(),
    )
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    diffusers_logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        diffusers_logging.set_verbosity(diffusers_level)
        if shown:
            logging.enable_progress_bar()


def save_model(model: Any, folder: Path) -> None:
    """Save a network or a pipeline as a folder that does not say where on this machine its parts came from."""
    with quiet_libraries():
        model.save_pretrained(folder)
    forget_places(folder)


def forget_places(folder: Path) -> None:
    """Remove `_name_or_path`, the place a part was loaded from, which diffusers and transformers write on saving."""
    for path in (*folder.glob("*.json"), *folder.glob("*/*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and content.pop("_name_or_path", None) is not None:
            path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def load_component(
    component: type[Any], folder: Path, dtype: torch.dtype = torch.float32, elsewhere: tuple[str, ...] = ()
) -> Any:
    """One network of a model from its own folder, in eval mode.

    Strict: a missing, unexpected or misshapen tensor is a UserError that names it. elsewhere: prefixes of tensors
    that belong to other networks.
    """
    config = folder / "config.json"
    if not config.exists():
        raise UserError(f"{folder} is not the folder of a {component.__name__}: it has no config.json")
    empty_component(component, folder)
    with described(folder), quiet_libraries():
        model, report = component.from_pretrained(
            folder, torch_dtype=dtype, output_loading_info=True, use_safetensors=True, local_files_only=True
        )
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if found := sorted(str(key) for key in report[problem] if not str(key).startswith(elsewhere)):
            tensors = ", ".join(found[:3])
            raise UserError(f"{folder}: {len(found)} {problem.replace('_keys', '')} tensors: {tensors}")
    return model.eval()


def load_scheduler(component: type[Any], folder: Path) -> Any:
    """A noise schedule from its own folder. UserError where its configuration is none."""
    read_config(folder / "scheduler_config.json")
    with described(folder), quiet_libraries():
        return component.from_pretrained(folder)


def empty_component(component: type[Any], folder: Path) -> Any:
    """A network on the meta device, where it has sizes only. UserError where its files hold no such network.

    So a configuration cannot ask for a larger network than there are weights for.
    """
    read_config(folder / "config.json")
    if (folder / "adapter_config.json").exists():
        raise UserError(f"{folder}: it asks for another network, to adapt it, which is not loaded")
    stored = stored_shapes(folder)
    with described(folder), quiet_libraries(), at_most(SPARE_TENSORS + 2 * len(stored)), torch.device("meta"):
        if issubclass(component, PreTrainedModel):
            network = component(component.config_class.from_pretrained(folder))
        else:
            network = component.from_config(component.load_config(folder))
    wanted = sum(tensor.numel() for tensor in network.state_dict().values())
    numbers = sum(math.prod(shape) for shape in stored.values())
    if wanted > SPARE_NUMBERS + 2 * numbers:
        raise UserError(f"{folder} cannot be loaded: config.json asks for {wanted:,} numbers, there are {numbers:,}")
    return network


def stored_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """The tensors in a folder's safetensors files, by name, from their headers. UserError where one is broken."""
    found: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        check_plain(path)
        try:
            with safe_open(path, framework="pt") as file:
                found |= {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 (no dict)
        except Exception as error:  # safetensors has its own, and lets the system's through
            raise UserError(f"{path}: broken weights ({one_line(error)})") from error
    return found


@contextmanager
def described(what: Path | str) -> Iterator[None]:
    """What libraries raise over a folder that describes no network, as a UserError that names it."""
    try:
        yield
    except (UserError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if "DefaultCPUAllocator" in str(error):  # torch has no class of its own for a CPU that is out of memory
            raise
        raise UserError(
            f"{what} cannot be loaded: {str(error).strip().split(chr(10))[0] or type(error).__name__}"
        ) from error


@contextmanager
def at_most(tensors: int) -> Iterator[None]:
    """Building a network of so many tensors at most: a configuration may ask for a million layers."""
    left = iter(range(tensors))

    def count(*_: Any) -> None:
        if next(left, None) is None:
            raise ValueError("config.json asks for far more tensors than there are")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()
