"""Finds configuration files, and reads from one which command runs it. It does not import torch: mistakes are quick."""

import re
from difflib import get_close_matches
from pathlib import Path

from signgen.errors import UserError
from signgen.io.limits import read_text

PACKAGE = Path(__file__).resolve().parent.parent
COMMAND = re.compile(r"#+\s*signgen (train [\w-]+|benchmark|export)\s")


def own_configs() -> Path:
    """The folder `configs` that comes with signgen: inside an installed package, beside the package in a checkout."""
    inside = PACKAGE / "configs"
    return inside if inside.is_dir() else PACKAGE.parent / "configs"


def config_names() -> list[str]:
    """The configurations that come with signgen, as every folder knows them: configs/mini/fusion.yaml, ..."""
    folder = own_configs()
    return [path.relative_to(folder.parent).as_posix() for path in sorted(folder.rglob("*.yaml"))]


def config_file(path: Path | str) -> Path:
    """The configuration file of that path, or else the one of that name that comes with signgen.

    Raises UserError, which names the most similar one, where there is neither.
    """
    path = Path(path)
    if path.is_file():
        return path
    names = config_names()
    if path.as_posix() in names:
        return own_configs().parent / path
    near = get_close_matches(path.as_posix(), names, n=1)
    advice = f"did you mean {near[0]}?" if near else "`signgen config list` names those that come with signgen"
    raise UserError(f"{path}: {'this is a folder' if path.is_dir() else 'file not found'}; {advice}")


def config_command(path: Path) -> str:
    """The command that runs a configuration: its first line, a comment by convention. UserError if it is not text."""
    try:
        line = read_text(path).partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise UserError(f"{path}: {reason}") from error
    return line.lstrip("# ").strip() if line.startswith("#") else ""


def config_verb(path: Path) -> str:
    """What runs a configuration: "train KIND", "benchmark" or "export"; empty where its first line does not say."""
    match = COMMAND.match(f"# {config_command(path)} ")
    return match[1] if match else ""


def config_for(verb: str, path: Path | str) -> Path:
    """The configuration file of that path or name, as `config_file` finds it, for a verb such as "train fusion".

    Raises UserError where the first line says that another verb runs it.
    """
    found = config_file(path)
    own = config_verb(found)
    if own not in ("", verb):
        raise UserError(
            f"{path} is a configuration for `signgen {own}`, not for `signgen {verb}`: its first line says so"
        )
    return found
