"""What each way to render faster or steadier costs: scores and speed on a corpus's dev split, one table.

    python benchmarks/shortcuts.py MODEL ../shared/data/synthetic-signers [--clips 4] [--rows default ...]

Every row renders the same clips with the same weights from their first frames; frame 0, the source, is left out of the
scores. `published` is FPDM's procedure as published. The guided rows have the published guidance weights; they differ
in solver, steps, precision, in which steps are guided and in how often deep features are computed. They say something
of a model that samples in many steps: for a distilled student, such as `mini`, they are not what it was trained for.
Speed is of rendering alone, without the images' files. Rows that are there already are kept, with their speed: delete
a folder to render it anew. Prints a table and writes shortcuts.json.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from published import GUIDANCE, published
from rich.console import Console
from rich.table import Table

from signgen.data import Corpus, DrivenClip, open_corpus
from signgen.errors import UserError
from signgen.evaluation import Evaluation
from signgen.evaluation.baselines import Row, copied, rendered, write_row
from signgen.evaluation.benchmark import score_row
from signgen.io.model_location import model_folder
from signgen.io.provenance import model_hash
from signgen.rendering.render_to_file import load_pipeline

METRICS = ("ssim", "hand-ssim", "psnr", "flicker", "warping-error")
SHOWN = ("ssim", "hand-ssim", "psnr", "flicker", "flicker-reference", "warping-error", "warping-error-reference")
GUIDED = {"guidance_source": GUIDANCE, "guidance_fusion": GUIDANCE}
UNGUIDED = {"guidance_source": 1.0, "guidance_fusion": 1.0}
# Row -> options of `signgen.rendering.generator.render`. In bfloat16: the row `default, bfloat16`.
OPTIONS: dict[str, dict[str, Any]] = {
    "ddpm 20, guided": {"steps": 20, "solver": "ddpm", **GUIDED},
    "ddim 20, guided": {"steps": 20, "solver": "ddim", **GUIDED},
    "ddim 20, guided, bfloat16": {"steps": 20, "solver": "ddim", **GUIDED},
    "ddim 20, guided 0:10": {"steps": 20, "solver": "ddim", **GUIDED, "guidance_steps": (0, 10)},
    "ddim 20, guided 5:15": {"steps": 20, "solver": "ddim", **GUIDED, "guidance_steps": (5, 15)},
    "ddim 20, guided, deep cache 2": {"steps": 20, "solver": "ddim", **GUIDED, "deep_cache": 2},
    "ddim 20, guided, deep cache 3": {"steps": 20, "solver": "ddim", **GUIDED, "deep_cache": 3},
    "dpm++ 12, guided": {"steps": 12, "solver": "dpm++", **GUIDED},
    "dpm++ 8, guided": {"steps": 8, "solver": "dpm++", **GUIDED},
    "unipc 12, guided": {"steps": 12, "solver": "unipc", **GUIDED},
    "unipc 8, guided": {"steps": 8, "solver": "unipc", **GUIDED},
    "ddim 4": {"steps": 4, "solver": "ddim", **UNGUIDED},
    "ddim 2": {"steps": 2, "solver": "ddim", **UNGUIDED},
    "ddim 1": {"steps": 1, "solver": "ddim", **UNGUIDED},
    "default, bfloat16": {},
    "default": {},
}
ROWS = ("copied", "published", *OPTIONS)


class Stopwatch:
    """The time that a row's frames take to make."""

    def __init__(self, row: Row) -> None:
        self.row, self.frames, self.seconds = row, 0, 0.0

    def __call__(self, clip: DrivenClip) -> Iterator[np.ndarray]:
        start = time.perf_counter()
        for frame in self.row(clip):
            self.seconds += time.perf_counter() - start
            self.frames += 1
            yield frame
            start = time.perf_counter()


def makers(folder: Path, names: Sequence[str]) -> dict[str, Row]:
    """The rows of these names."""
    pipelines = {dtype: load_pipeline(folder, "auto", dtype) for dtype in (torch.float32, torch.bfloat16)}
    found: dict[str, Row] = {
        "copied": copied,
        "published": lambda clip: published(pipelines[torch.float32], clip.first_frame, clip.poses),
    }
    for name, options in OPTIONS.items():
        dtype = torch.bfloat16 if name.endswith("bfloat16") else torch.float32
        found[name] = rendered(pipelines[dtype], **options)
    return {name: found[name] for name in names}


def measured(
    arguments: argparse.Namespace, names: Sequence[str], metrics: Sequence[str]
) -> Iterator[tuple[str, Evaluation, float]]:
    """Each row's name, scores and frames a second."""
    clips = tuple(open_corpus([arguments.corpus], "dev"))
    corpus = Corpus(clips[:: max(1, len(clips) // arguments.clips)][: arguments.clips])
    folder = model_folder(arguments.model)
    for name, row in makers(folder, names).items():
        place = arguments.output / name.replace(", ", "-").replace(" ", "-").replace(":", "-")
        made_with = {"row": name, "clips": [clip.name for clip in corpus], "model_sha256": model_hash(folder)}
        timed, speed = Stopwatch(row), place / "speed.json"
        write_row(timed, corpus, place, made_with)
        if timed.frames:
            speed.write_text(json.dumps(timed.frames / timed.seconds))
        yield name, score_row(place, corpus, metrics), json.loads(speed.read_text())


def parser(description: str | None) -> argparse.ArgumentParser:
    """What this benchmark and `steadiness.py`, which shares its rows, are asked."""
    found = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    found.add_argument("model")
    found.add_argument("corpus")
    found.add_argument("--clips", type=int, default=4, help="evenly spread over the split")
    found.add_argument("--output", type=Path, default=Path("out/shortcuts"))
    return found


def main() -> None:
    """Parse the command line, measure, print and write."""
    asked = parser(__doc__)
    asked.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    arguments = asked.parse_args()
    result: dict[str, dict[str, float]] = {}
    try:
        for name, scores, speed in measured(arguments, arguments.rows, METRICS):
            result[name] = {score: scores[score] for score in SHOWN} | {"frames/s": speed}
            shown = {score: round(value, 3) for score, value in result[name].items()}
            print(name, shown, file=sys.stderr, flush=True)
    except UserError as error:
        sys.exit(f"{error}")
    table = Table("", *SHOWN, "frames/s")
    for name, values in result.items():
        table.add_row(name, *("" if math.isnan(value) else f"{value:.3f}" for value in values.values()))
    Console(width=160).print(table)
    (arguments.output / "shortcuts.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
