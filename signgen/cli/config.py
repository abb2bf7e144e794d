"""`signgen config`: the YAML files that trainings and benchmarks run on."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signgen.cli.console import Json, report
from signgen.cli.train import Overrides
from signgen.errors import UserError
from signgen.io.config_files import config_command, config_file, config_names, config_verb

if TYPE_CHECKING:
    from signgen.evaluation.benchmark_settings import BenchmarkSettings
    from signgen.export import ExportSettings
    from signgen.training.settings import TrainingSettings

app = typer.Typer(help="Configuration files.")
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file, or a name of `config list`.")]


@app.command("list")
def list_configs(
    folder: Annotated[Path | None, typer.Argument(help="Where to look; else those that come with signgen.")] = None,
    as_json: Json = False,
) -> None:
    """List configuration files and the command that runs each: from any folder, by the name that is listed."""
    if folder is not None and not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one that holds configuration files")
    names = config_names() if folder is None else [str(path) for path in sorted(folder.rglob("*.yaml"))]
    found = {name: config_command(config_file(name)) for name in names}
    configs = [{"config": name, "command": command} for name, command in found.items()]
    report({"configs": configs}, as_json, "\n".join(f"{name}\n  {command}" for name, command in found.items()))


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
    verb = config_verb(config_file(path))
    if not verb:
        expected = f"# signgen train KIND {path}, # signgen benchmark {path} or # signgen export {path}"
        raise UserError(f"{path}: the first line must be the command that runs it, {expected}")
    if verb.startswith("train "):
        from signgen.systems.trainings import load_settings

        return load_settings(verb.removeprefix("train "), path, overrides or [])
    from signgen.io.config import load_config

    if verb == "export":
        from signgen.export import ExportSettings

        return load_config(ExportSettings, path, overrides or [])
    from signgen.evaluation.benchmark_settings import BenchmarkSettings

    return load_config(BenchmarkSettings, path, overrides or [])
