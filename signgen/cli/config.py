"""`signgen config`: the YAML files that trainings and benchmarks run on."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signgen.cli.console import Json, report
from signgen.cli.train import Overrides
from signgen.errors import UserError

if TYPE_CHECKING:
    from signgen.evaluation.benchmark_settings import BenchmarkSettings
    from signgen.export import ExportSettings
    from signgen.training.settings import TrainingSettings

app = typer.Typer(help="Configuration files.")
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.")]


@app.command("list")
def list_configs(
    folder: Annotated[Path, typer.Argument(help="Where to look.")] = Path("configs"), as_json: Json = False
) -> None:
    """List configuration files and the command that runs each."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds configuration files")
    found = {str(path): _command(path) for path in sorted(folder.rglob("*.yaml"))}
    configs = [{"config": path, "command": command} for path, command in found.items()]
    report({"configs": configs}, as_json, "\n".join(f"{path}\n  {command}" for path, command in found.items()))


@app.command()
def show(config: Config, overrides: Overrides = None, as_json: Json = False) -> None:
    """Print all settings of a configuration: bases, defaults and overrides applied."""
    from signgen.io.config import to_yaml

    settings = _load(config, overrides)
    report(asdict(settings), as_json, to_yaml(settings).rstrip())


@app.command()
def validate(config: Config, overrides: Overrides = None, as_json: Json = False) -> None:
    """Check a configuration without running it."""
    _load(config, overrides)
    report({"config": str(config), "valid": True}, as_json, f"{config}: valid")


def _load(path: Path, overrides: list[str] | None) -> "TrainingSettings | BenchmarkSettings | ExportSettings":
    match = re.match(r"signgen (train (?P<kind>[\w-]+)|benchmark|(?P<export>export)) ", _command(path))
    if not match:
        expected = f"# signgen train KIND {path}, # signgen benchmark {path} or # signgen export {path}"
        raise UserError(f"{path}: the first line must be the command that runs it, {expected}")
    if kind := match["kind"]:
        from signgen.systems.trainings import load_settings

        return load_settings(kind, path, overrides or [])
    from signgen.io.config import load_config

    if match["export"]:
        from signgen.export import ExportSettings

        return load_config(ExportSettings, path, overrides or [])
    from signgen.evaluation.benchmark_settings import BenchmarkSettings

    return load_config(BenchmarkSettings, path, overrides or [])


def _command(path: Path) -> str:
    """The command that runs a configuration: its first line, a comment by convention."""
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a text file"
        raise UserError(f"{path}: {reason}") from error
    return line.lstrip("# ").strip() if line.startswith("#") else ""
