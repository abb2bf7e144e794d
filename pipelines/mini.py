"""The embedded model from nothing: three trainings, then a folder in half precision.

    python pipelines/mini.py CORPUS [CORPUS ...] --work runs/mini --output mini

Every stage goes on where it was stopped; one that is done is not repeated. `--size tiny` runs the same in a minute.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import torch

from signgen.errors import UserError
from signgen.fpdm import FPDMPipeline
from signgen.models.folder import without_progress_bars
from signgen.training import load_settings, train

STAGES = ("autoencoder", "fusion", "diffusion")
CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def train_stages(corpora: list[str], work: Path, size: str, overrides: list[str]) -> Path:
    """Train the three stages in `work` and return the folder of the whole pipeline."""
    model = work
    for stage in STAGES:
        output = work / stage
        given = [f"output={output}", f"data.roots=[{','.join(corpora)}]", f"validation=[{corpora[0]}]"]
        if stage == "diffusion":
            given += [f"{part}={work / part / 'model'}" for part in STAGES[:2]]
        settings = load_settings(stage, CONFIGS / size / f"{stage}.yaml", given + overrides)
        started = any((output / "checkpoints").glob("*.pt"))
        model = train(stage, settings, resume=started, report=partial(print, stage, flush=True))
    return model


def package(model: Path, output: Path) -> None:
    """Save a trained pipeline in half precision: what is rendered from it differs by rounding."""
    with without_progress_bars():
        FPDMPipeline.from_pretrained(model, dtype=torch.float16).save_pretrained(output)


def main() -> None:
    """Parse the command line and run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--work", type=Path, default=Path("runs/mini"))
    parser.add_argument("--output", type=Path, default=Path("mini"))
    parser.add_argument("--size", choices=("mini", "tiny"), default="mini")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of all three stages")
    arguments = parser.parse_args()
    try:
        package(train_stages(arguments.corpora, arguments.work, arguments.size, arguments.set), arguments.output)
    except UserError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
