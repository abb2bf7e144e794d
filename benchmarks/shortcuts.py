"""What each way to render faster or steadier costs: scores and speed on a corpus's dev split, one table.

    python benchmarks/shortcuts.py mini ../shared/data/synthetic-signers [--clips 4] [--rows default ...]

Every row renders the same clips with the same weights from their first frames; frame 0, the source, is left out of the
scores. `published` is FPDM's procedure as published. The guided rows have the published guidance weights and differ by
solver and steps. Rows that are there already are kept: delete a folder to render it anew (its speed is then measured,
too). Prints a table and writes shortcuts.json.
"""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from published import GUIDANCE, published
from rich.console import Console
from rich.table import Table

from signgen.benchmark.rows import Row, copied, rendered, write_row
from signgen.benchmark.run import CorpusPoses
from signgen.data import Corpus, open_corpus
from signgen.errors import UserError
from signgen.evaluation import ClipPair, Pairing, Protocol, evaluate_pairs
from signgen.models.location import model_folder
from signgen.production import load_pipeline
from signgen.provenance import model_hash

METRICS = ("ssim", "hand-ssim", "psnr", "flicker", "warping-error")
SHOWN = ("ssim", "hand-ssim", "psnr", "flicker", "flicker-reference", "warping-error", "warping-error-reference")
GUIDED = {"guidance_source": GUIDANCE, "guidance_fusion": GUIDANCE}
UNGUIDED = {"guidance_source": 1.0, "guidance_fusion": 1.0}
# Row -> options of `signgen.rendering.render`. In bfloat16: the row `default, bfloat16`.
OPTIONS: dict[str, dict[str, Any]] = {
    "ddpm 20, guided": {"steps": 20, "solver": "ddpm", **GUIDED},
    "ddim 20, guided": {"steps": 20, "solver": "ddim", **GUIDED},
    "dpm++ 10, guided": {"steps": 10, "solver": "dpm++", **GUIDED},
    "unipc 8, guided": {"steps": 8, "solver": "unipc", **GUIDED},
    "ddim 4": {"steps": 4, "solver": "ddim", **UNGUIDED},
    "ddim 2": {"steps": 2, "solver": "ddim", **UNGUIDED},
    "ddim 1": {"steps": 1, "solver": "ddim", **UNGUIDED},
    "default, background not locked": {"lock_background": False},
    "default, bfloat16": {},
    "default": {},
}
ROWS = ("copied", "published", *OPTIONS)


def makers(folder: Path, names: list[str]) -> dict[str, Row]:
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


def measure(arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Row -> score -> value."""
    clips = tuple(open_corpus([arguments.corpus], "dev"))
    corpus = Corpus(clips[:: max(1, len(clips) // arguments.clips)][: arguments.clips])
    folder, result = model_folder(arguments.model), {}
    for name, row in makers(folder, arguments.rows).items():
        place = arguments.output / name.replace(", ", "-").replace(" ", "-")
        made_with = {"row": name, "clips": [clip.name for clip in corpus], "model_sha256": model_hash(folder)}
        speed = write_row(row, corpus, place, made_with)
        pairing = Pairing([ClipPair(clip.name, place / clip.name, clip.frames) for clip in corpus], [], [])
        scores = evaluate_pairs(pairing, CorpusPoses(corpus), Protocol(start=1), metrics=METRICS)
        result[name] = {score: scores[score] for score in SHOWN} | {"frames/s": speed}
        print(name, {score: round(value, 3) for score, value in result[name].items()}, file=sys.stderr, flush=True)
    return result


def main() -> None:
    """Parse the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("corpus")
    parser.add_argument("--clips", type=int, default=4, help="evenly spread over the split")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="ROW")
    parser.add_argument("--output", type=Path, default=Path("out/shortcuts"))
    arguments = parser.parse_args()
    try:
        result = measure(arguments)
    except UserError as error:
        sys.exit(f"{error}")
    table = Table("", *SHOWN, "frames/s")
    for name, scores in result.items():
        table.add_row(name, *("" if math.isnan(value) else f"{value:.3f}" for value in scores.values()))
    Console(width=160).print(table)
    (arguments.output / "shortcuts.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
