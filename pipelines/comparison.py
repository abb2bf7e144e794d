"""FPDM and PCDMs side by side: the same data, autoencoder, parameters and arithmetic of training.

    python pipelines/comparison.py CORPUS --work runs/comparison

Rows: FPDM's B6 and B3 (no fusion embedding), PCDMs' stage 2 alone, PCDMs' stages 2 and 3. `--steps` are those of B6;
every row gets the arithmetic that they take, stages 2 and 3 half of it and half of the parameters each. The first
stages, FPDM's fusion model and PCDMs' prior, are trained before and counted apart. One image a pose; `--best-of N`
keeps, of N, the one most like the ground truth, and names itself in the result. What is done is not repeated.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ablations import once

from signgen.data import DrivenClip, open_corpus
from signgen.data.pair_lists import clip_lengths, random_pairs, write_pairs
from signgen.errors import one_line_errors
from signgen.evaluation.baselines import Row, rendered, write_row
from signgen.evaluation.benchmark import score_row
from signgen.evaluation.benchmark_protocol import SHARED_NOISE
from signgen.evaluation.tables import format_table
from signgen.io.atomic_files import atomic_path
from signgen.io.model_location import model_folder
from signgen.metrics import ssim
from signgen.rendering.render_to_file import load_pipeline
from signgen.runtime.ranks import by_main_process, is_main_process
from signgen.systems.pcdm.coarse_images import make_coarse
from signgen.systems.stages import train_stage
from signgen.systems.trainings import KINDS, load_settings
from signgen.training.memory_estimate import estimate

HOME = Path(__file__).resolve().parent.parent
METRICS = ("ssim", "psnr", "hand-ssim", "lpips-alex", "fid", "flicker")
COLUMNS = ("ssim", "hand-ssim", "lpips-alex", "fid", "flicker", "frames/s")
SEED = 7
Result = dict[str, Any]


class Comparison:
    """The rows on given corpora, each model in `work/NAME`."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.work = arguments, arguments.work
        roots = ",".join(arguments.corpora)
        self.overrides = [f"data.roots=[{roots}]", "validation=[]", "data.workers=0", *arguments.set]
        self.test = open_corpus(arguments.corpora, arguments.split)[: arguments.clips]
        self.budget = arguments.steps * self.step("diffusion", "fpdm-b6")["flops"]

    def config(self, name: str) -> Path:
        return self.arguments.configs / f"{name}.yaml"

    def step(self, kind: str, name: str) -> Result:
        """Floating-point operations of a step, and the parameters that it trains."""
        found = estimate(KINDS[kind][1], load_settings(kind, self.config(name), self.overrides))
        return {"flops": found.flops, "trained": sum(found.trained.values())}

    def train(self, kind: str, name: str, share: float, *extra: str) -> Result:
        """A training, called as its configuration, with a share of the budget: what it took.

        CPU seconds are those of the last sitting.
        """

        def run() -> Result:
            step = self.step(kind, name)
            steps = max(1, round(share * self.budget / step["flops"]))
            own = [f"output={self.work / name}", f"steps={steps}", f"optimizer.decay_after={round(0.7 * steps)}"]
            start = time.process_time()
            train_stage(kind, self.config(name), [*self.overrides, *own, *extra], name=name)
            cpu = round(time.process_time() - start, 1)
            return {"steps": steps, "tflop": steps * step["flops"] / 1e12, "trained": step["trained"], "cpu": cpu}

        return once(self.work / f"{name}.json", run)

    def prior(self) -> str:
        self.train("pcdm-prior", "prior", self.arguments.prior_share)
        return f"prior={self.work / 'prior' / 'model'}"

    def fpdm_b6(self) -> tuple[str, list[Result]]:
        return "fpdm-b6", [self.train("diffusion", "fpdm-b6", 1)]

    def fpdm_b3(self) -> tuple[str, list[Result]]:
        return "fpdm-b3", [self.train("diffusion", "fpdm-b3", 1)]

    def pcdm_2(self) -> tuple[str, list[Result]]:
        return "inpaint", [self.train("pcdm-inpaint", "inpaint", 1, self.prior())]

    def pcdm_23(self) -> tuple[str, list[Result]]:
        first = self.train("pcdm-inpaint", "inpaint-half", 0.5, self.prior())
        pairs = self.work / "pairs.csv"
        by_main_process(lambda: self.draw_pairs(pairs))
        made = [f"inpaint={self.work / 'inpaint-half' / 'model'}", f"coarse={self.work / 'coarse'}"]
        given = [*made, f"data.pairs={pairs}"]
        settings = load_settings("pcdm-refine", self.config("refine"), [*self.overrides, *given])
        by_main_process(lambda: make_coarse(settings))
        return "refine", [first, self.train("pcdm-refine", "refine", 0.5, *given)]

    def draw_pairs(self, pairs: Path) -> None:
        """Those whose coarse images stage 3 is trained on."""
        if not pairs.exists():
            corpus = open_corpus(self.arguments.corpora, "train")
            write_pairs(pairs, corpus, random_pairs(clip_lengths(corpus), self.arguments.pairs, SEED))

    def row(self, build: Callable[[], tuple[str, list[Result]]]) -> Result:
        """Train, render the test clips, score them."""
        name, trainings = build()
        model, best_of = self.work / name / "model", self.arguments.best_of
        folder = self.work / "rendered" / (name if best_of == 1 else f"{name}-best-of-{best_of}")

        def score() -> Result:
            pipeline = load_pipeline(model_folder(model), "auto", torch.float32)
            rows = [rendered(pipeline, seed=SEED + number) for number in range(best_of)]
            speed = write_row(rows[0] if best_of == 1 else oracle(rows), self.test, folder, {"best_of": best_of})
            scores = score_row(folder, self.test, self.arguments.metrics)
            return {metric: value.value for metric, value in scores.scores.items()} | {"frames/s": speed}

        return {"trainings": trainings, **once(folder.with_suffix(".json"), lambda: by_main_process(score))}


ROWS: dict[str, Callable[[Comparison], tuple[str, list[Result]]]] = {
    "FPDM B6": Comparison.fpdm_b6,
    "FPDM B3": Comparison.fpdm_b3,
    "PCDM stage 2": Comparison.pcdm_2,
    "PCDM stages 2+3": Comparison.pcdm_23,
}


def oracle(rows: list[Row]) -> Row:
    """Of several renderings of a frame, the one of the highest SSIM against the ground truth: no result of a system."""

    def frames(clip: DrivenClip) -> Iterator[np.ndarray]:
        for index, made in enumerate(zip(*(row(clip) for row in rows), strict=True)):
            truth = np.stack([clip.reference[index]] * len(made))
            yield made[int(ssim(torch.from_numpy(np.stack(made)), torch.from_numpy(truth)).argmax())]

    return frames


def table(results: dict[str, Result], best_of: int) -> str:
    """The rows as text: scores, then seeds, parameters and cost of training."""
    lines = [["method", *COLUMNS, "trained M", "steps", "TFLOP", "CPU s"]]
    for name, result in results.items():
        trainings = result["trainings"]
        named = name if best_of == 1 else f"{name} (best of {best_of} by SSIM with the ground truth)"
        scores = [f"{result[column]:.4g}" if column in result else "" for column in COLUMNS]
        totals = [f"{sum(each[key] for each in trainings):.0f}" for key in ("tflop", "cpu")]
        millions = f"{sum(each['trained'] for each in trainings) / 1e6:.1f}"
        lines.append([named, *scores, millions, "+".join(f"{each['steps']:.0f}" for each in trainings), *totals])
    return format_table(lines)


def main() -> None:
    """Parse the command line and run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--work", type=Path, default=Path("runs/comparison"))
    parser.add_argument("--configs", type=Path, default=HOME / "configs" / "pcdm" / "small")
    parser.add_argument("--steps", type=int, default=200, help="of B6, which set every row's budget")
    parser.add_argument("--prior-share", type=float, default=0.25, help="of the budget, on top of it, for the prior")
    parser.add_argument("--pairs", type=int, default=600, help="coarse images for stage 3")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--clips", type=int, help="only so many test clips")
    parser.add_argument("--rows", nargs="*", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--metrics", nargs="*", default=METRICS)
    parser.add_argument("--best-of", type=int, default=1, help="samples a pose, of which the ground truth chooses")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of all trainings")
    arguments = parser.parse_args()
    with one_line_errors():
        comparison = Comparison(arguments)
        results = {name: comparison.row(lambda name=name: ROWS[name](comparison)) for name in arguments.rows}
    if not is_main_process():
        return
    suffix = "" if arguments.best_of == 1 else f"-best-of-{arguments.best_of}"
    record = {"seed": {"rendering": SEED}, "budget_tflop": comparison.budget / 1e12, "rows": results}
    with atomic_path(arguments.work / f"comparison{suffix}.json") as unfinished:
        unfinished.write_text(json.dumps(record, indent=2) + "\n")
    print(table(results, arguments.best_of), SHARED_NOISE, sep="\n")


if __name__ == "__main__":
    main()
