"""`signgen benchmark`: a split rendered and scored, in the paper's table."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signgen.cli.console import Json, announce, report, track
from signgen.cli.train import Overrides
from signgen.io.config_files import config_for

if TYPE_CHECKING:
    from signgen.evaluation.benchmark import Benchmark


def benchmark(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file, such as those in configs/benchmark.")],
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Render a split as CONFIG says, score it, and print the published table with our rows.

    Every clip is made of its first frame and its poses. Clips that are rendered already are kept. frames=FOLDER scores
    what any system rendered.
    """
    config = config_for("benchmark", config)
    announce("Loading torch")
    from signgen.evaluation.benchmark import run_benchmark
    from signgen.evaluation.benchmark_settings import BenchmarkSettings
    from signgen.io.config import load_config

    settings = load_config(BenchmarkSettings, config, overrides or [])
    result = run_benchmark(settings, partial(track, unit="clips"))
    text = f"{describe(result)}\nclips, benchmark.json and report.html are in {settings.output}"
    report(result.to_dict(), as_json, text)


def describe(result: "Benchmark") -> str:
    """The paper's rows, ours, and why they do not quite compare."""
    from signgen.evaluation.tables import format_rows

    return "\n".join([format_rows(result.published, result.values()), "", *result.remarks()])
