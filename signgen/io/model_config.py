"""Reads the JSON files of a model folder. They may come from strangers, so they are only data: files that ask for code
are refused."""

import math
from pathlib import Path
from typing import Any

from signgen.errors import UserError
from signgen.io.limits import read_json

# What libraries take as leave to import code of the folder's or of the hub's, or to read other files.
REFUSED = ("auto_map", "quantization_config", "custom_pipelines", "transformers_weights", "adapter_kwargs")
LARGEST, VALUES, DEPTH, TEXT = 65_536, 10_000, 8, 1000  # number, values of a file, nesting, characters of a text


def model_index(folder: Path) -> dict[str, Any]:
    """What a model folder says it holds: its class, components and settings. Raises UserError where it is damaged."""
    return read_config(folder / "model_index.json")


def read_config(path: Path) -> dict[str, Any]:
    """A JSON object of sizes and names. UserError where it is none, asks for code, or has absurd values."""
    config = read_json(path)
    if not isinstance(config, dict):
        raise UserError(f"{path}: it is no JSON object")
    waiting: list[tuple[str, Any, int]] = [("", config, 0)]
    count = 0
    while waiting:
        name, value, depth = waiting.pop()
        count += 1
        if depth > DEPTH or count > VALUES:
            raise UserError(f"{path}: it nests too deeply, or holds too much, for the sizes of a network")
        if isinstance(value, dict):
            waiting += ((key, item, depth + 1) for key, item in value.items())
        elif isinstance(value, list):
            waiting += ((name, item, depth + 1) for item in value)
        if problem := _problem(name, value):
            raise UserError(f"{path}: {name}: {problem}")
    return config


def _problem(name: str, value: Any) -> str:
    """What is wrong with a value; empty where nothing is."""
    if name in REFUSED and value:
        return "it asks for code or files from elsewhere, which are not loaded"
    if "attn_implementation" in name and isinstance(value, str) and not value.isidentifier():
        return "it asks for code from the hub, which is not loaded"
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"a whole number beyond {LARGEST}"
    if isinstance(value, float) and not math.isfinite(value):
        return "not a finite number"
    if isinstance(value, str) and (len(value) > TEXT or not value.isprintable()):
        return "not a name"
    return ""


def class_name(folder: Path) -> str:
    """The class of a model or of a part of one; "?" where its folder does not say."""
    for path in (folder / "model_index.json", *sorted(folder.glob("*config.json"))):
        if path.exists():
            config = read_config(path)
            named = config.get("_class_name") or config.get("architectures")
            return str(named[0] if isinstance(named, list) and named else named or "?")
    return "?"
