"""FPDM on Phoenix-2014T, from the corpus to the paper's table with our row.

    python pipelines/phoenix14t.py CORPUS --work runs/fpdm/phoenix14t \\
        --set fusion:pretrained_encoder=CLIP diffusion:pretrained_unet=SD diffusion:autoencoder=SD \\
              diffusion:pretrained_source_encoder=DINOV2

Pairs, stage 1, stage 2, and `signgen benchmark`: every test clip from its first frame and its poses, scores, table.
Each step goes on where it was stopped and is not repeated. `--configs configs/tiny` runs the same on a small corpus in
a minute or two.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from signgen.data import Corpus, open_corpus
from signgen.data.pair_lists import clip_lengths, random_pairs, write_pairs
from signgen.errors import one_line_errors
from signgen.evaluation.benchmark import run_benchmark
from signgen.evaluation.benchmark_settings import BenchmarkSettings
from signgen.evaluation.tables import format_rows
from signgen.io.config import load_config
from signgen.runtime.progress import track
from signgen.runtime.ranks import by_main_process
from signgen.systems.stages import FPDM_STAGES, train_stages

HOME = Path(__file__).resolve().parent.parent
BENCHMARK = HOME / "configs" / "benchmark" / "phoenix14t.yaml"
TABLE = HOME / "benchmarks" / "published" / "phoenix14t.csv"
PAIRS, SEED = 100_000, 7


def prepare(corpus: Corpus, pairs: Path, count: int) -> None:
    """Draw the random (source frame, target frame) pairs of both trainings."""
    if not pairs.exists():
        write_pairs(pairs, corpus, random_pairs(clip_lengths(corpus), count, SEED))


def main(description: str | None, system: str, stages: Sequence[str]) -> None:
    """Parse the command line and run the recipe of a system's stages."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", metavar="CORPUS")
    parser.add_argument("--work", type=Path, default=Path("runs") / system / "phoenix14t")
    parser.add_argument("--configs", type=Path, default=HOME / "configs" / system / "phoenix14t")
    parser.add_argument("--pairs", type=int, default=PAIRS, help="random training pairs")
    parser.add_argument("--set", nargs="*", default=[], metavar="[STAGE:]KEY=VALUE", help="settings of the trainings")
    parser.add_argument("--benchmark", nargs="*", default=[], metavar="KEY=VALUE", help="settings of the benchmark")
    arguments = parser.parse_args()
    work: Path = arguments.work
    with one_line_errors():
        fixed = [f"roots=[{arguments.corpus}]", f"output={work / 'benchmark'}", f"seed={SEED}", f"paper.table={TABLE}"]
        settings = load_config(BenchmarkSettings, BENCHMARK, [*fixed, *arguments.benchmark])
        open_corpus(settings.roots, settings.split)  # what is wrong with the test shows before days of training
        pairs = work / "pairs.csv"
        by_main_process(lambda: prepare(open_corpus(arguments.corpus, "train"), pairs, arguments.pairs))
        data = [f"data.roots=[{arguments.corpus}]", f"data.pairs={pairs}", f"validation=[{arguments.corpus}]"]
        model = train_stages(arguments.configs, work, data + arguments.set, stages)
        by_main_process(lambda: benchmark(replace(settings, model=str(model))))


def benchmark(settings: BenchmarkSettings) -> None:
    """Render and score the test clips, and print the paper's table with our row."""
    result = run_benchmark(settings, partial(track, unit="clips"))
    print(format_rows(result.published, result.values()), "", *result.remarks(), sep="\n")


if __name__ == "__main__":
    main(__doc__, "fpdm", FPDM_STAGES)
