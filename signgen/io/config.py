"""Configuration: a typed dataclass, filled by YAML files and by `key=value` overrides, in that order.

A file may name another file as its base, `base: other.yaml` (a path relative to itself). Then it holds only what
differs.
"""

import dataclasses
import io
import math
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, TypeVar, cast, get_type_hints

import yaml
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException

from signgen.errors import UserError
from signgen.io.config_files import config_file
from signgen.io.limits import read_text

Config = TypeVar("Config")
MAX_TEXT, MAX_VALUES = 100_000, 10_000  # characters and values of a file


RENAMED = {"picture_size": "image_size", "pictures": "images"}
"""Keys of older configurations -> their names now."""


def load_config(cls: type[Config], path: Path | str | None = None, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration of type `cls`, a dataclass whose defaults are the defaults.

    Args:
        cls: the dataclass; fields may be dataclasses themselves.
        path: a YAML file, or the name of one that comes with signgen, or None for the defaults alone.
        overrides: `key=value` strings, dotted for nested fields; later ones win. A list of one value needs no brackets.

    Raises:
        UserError: a file is missing or not YAML, a key is unknown (the nearest known one is named), a value
            has the wrong type, is not finite, is missing, or is refused by the dataclass.
    """
    config = OmegaConf.structured(cls)
    overrides = list(overrides)
    for file in _with_bases(config_file(path)) if path is not None else ():
        config = _merge(cls, config, _read(file), str(file))
    for override in overrides:
        config = _merge(cls, config, _parse_override(override), override)
    origin = [] if path is None else [str(path)]
    return _build(cls, config, " ".join(origin + overrides) or cls.__name__)


def to_yaml(config: Any) -> str:
    """A configuration as YAML that `load_config` reads back to an equal one."""
    return OmegaConf.to_yaml(OmegaConf.structured(config))


def known_keys(cls: type, prefix: str = "") -> Iterator[str]:
    """The dotted names of all fields of a dataclass, nested ones included."""
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        yield prefix + field.name
        if dataclasses.is_dataclass(hints[field.name]):
            yield from known_keys(cast(type, hints[field.name]), f"{prefix}{field.name}.")


def _with_bases(path: Path) -> list[Path]:
    """The file and its bases, the last base first."""
    chain: list[Path] = []
    while True:
        if any(path.resolve() == seen.resolve() for seen in chain):
            raise UserError(f"{chain[-1]}: base {path} builds on this file itself; remove one of the two")
        if not path.is_file():
            raise UserError(f"{path}: file not found" + (f" (base of {chain[-1]})" if chain else ""))
        chain.append(path)
        base = _load_yaml(path).get("base")
        if base is None:
            return chain[::-1]
        if not isinstance(base, str):
            raise UserError(f"{path}: base must be the name of a YAML file, not {base!r}")
        path = path.parent / base


def _read(path: Path) -> DictConfig:
    content = _load_yaml(path)
    content.pop("base", None)
    try:
        return OmegaConf.create(content)
    except (OmegaConfBaseException, ValueError) as error:
        raise UserError(f"{path}: {_first_line(error)}") from error


def _load_yaml(path: Path) -> dict[Any, Any]:
    try:
        text = read_text(path)
        _check_extent(text)
        # OmegaConf's loader reads 1e-4 as a number, which YAML 1.1 does not.
        content = OmegaConf.load(io.StringIO(text))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text file") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {_yaml_problem(error)}") from error
    except (OmegaConfBaseException, OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: {_first_line(error)}; expected a YAML mapping of key: value") from error
    if not isinstance(content, DictConfig):
        raise UserError(f"{path}: expected a YAML mapping of key: value")
    return cast(dict[Any, Any], OmegaConf.to_container(content))


def _check_extent(text: str) -> None:
    """ValueError for more than a configuration can be: aliases and references can make much of little."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has more than {MAX_TEXT:,} characters")
    waiting = [yaml.compose(text, yaml.SafeLoader)]
    for _ in range(MAX_VALUES):
        if not waiting:
            return
        node = waiting.pop()
        if isinstance(node, yaml.ScalarNode) and "${" in node.value:
            raise ValueError("it refers to other values (${...}): write them out")
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            waiting += (part for pair in node.value for part in pair)
    raise ValueError(f"it has more than {MAX_VALUES:,} values, repeated ones counted")


def _parse_override(override: str) -> DictConfig:
    key, equals, _ = override.partition("=")
    if not equals or not all(key.split(".")):
        raise UserError(f"override {override!r}: expected key=value, such as steps=100")
    try:
        return OmegaConf.from_dotlist([override])
    except yaml.YAMLError as error:
        raise UserError(f"override {override!r}: {_yaml_problem(error)}") from error
    except (OmegaConfBaseException, ValueError, RecursionError) as error:
        raise UserError(f"override {override!r}: {_first_line(error)}") from error


def _merge(cls: type, config: DictConfig, layer: DictConfig, where: str) -> DictConfig:
    try:
        return cast(DictConfig, OmegaConf.merge(config, _listed(config, OmegaConf.to_container(layer))))
    except ConfigKeyError as error:
        key = str(error.full_key)
        if (last := key.rsplit(".", 1)[-1]) in RENAMED:
            raise UserError(f"{where}: the key {last!r} is called {RENAMED[last]!r} now") from error
        nearest = _nearest(cls, key)
        raise UserError(f"{where}: unknown key {key!r}; the nearest known key is {nearest!r}") from error
    except (OmegaConfBaseException, ValueError, TypeError) as error:
        raise UserError(f"{where}: {_describe(error)}") from error


def _listed(known: Any, given: Any) -> Any:
    """Values as given, a single one as a list of one where the configuration has a list."""
    if isinstance(known, DictConfig) and isinstance(given, dict):
        keys = {key for key in given if isinstance(key, str) and key in known}
        return {key: _listed(known.get(key), value) if key in keys else value for key, value in given.items()}
    return [given] if isinstance(known, ListConfig) and isinstance(given, str | int | float) else given


def _build(cls: type[Config], config: DictConfig, where: str) -> Config:
    try:
        missing = sorted(OmegaConf.missing_keys(config))
        values = OmegaConf.to_container(config, resolve=True)
    except (OmegaConfBaseException, ValueError, TypeError, RecursionError) as error:
        raise UserError(f"{where}: {_describe(error)}") from error
    if missing:
        raise UserError(f"{where}: {', '.join(missing)} must be given")
    for key, value in _leaves(values):
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"{where}: {key} must be a finite number, not {value}")
    try:
        built = OmegaConf.to_object(config)
        OmegaConf.structured(built)  # which looks into lists as well: merging lets a mapping pass for a text
        return cast(Config, built)
    except (UserError, OmegaConfBaseException, ValueError, TypeError) as error:  # from a __post_init__
        raise UserError(f"{where}: {_describe(error)}") from error


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """All values of nested dicts and sequences, each with its dotted key."""
    if isinstance(value, dict):
        items = [(f"{key}.{name}" if key else str(name), item) for name, item in value.items()]
    elif isinstance(value, list | tuple):
        items = [(f"{key}[{index}]", item) for index, item in enumerate(value)]
    else:
        yield key, value
        return
    for name, item in items:
        yield from _leaves(item, name)


def _nearest(cls: type, key: str) -> str:
    """The known key most like `key`, by its whole dotted name or by its last part."""

    key = key[:100]  # comparing takes the square of that

    def similarity(known: str) -> float:
        parts = (key.rsplit(".", 1)[-1], known.rsplit(".", 1)[-1])
        return max(SequenceMatcher(None, key, known).ratio(), SequenceMatcher(None, *parts).ratio())

    return max(known_keys(cls), key=similarity)


def _describe(error: Exception) -> str:
    key = getattr(error, "full_key", None)
    return f"{key}: {_first_line(error)}" if key else _first_line(error)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _yaml_problem(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}" if mark else ""
    return f"not valid YAML{place}: {getattr(error, 'problem', None) or _first_line(error)}"
