"""The embedded model from nothing: four trainings, then a folder in half precision.

    python pipelines/mini.py CORPUS [CORPUS ...] --work runs/mini --output mini

Every stage goes on where it was stopped; one that is done is not repeated. `--size tiny` runs the same in a minute.
"""

import argparse
import sys
from pathlib import Path

from signgen.errors import UserError
from signgen.training.stages import assemble, train_stage

CONFIGS = Path(__file__).resolve().parent.parent / "configs"

# Stage -> kind of training, and the stages whose models it builds on.
STAGES = {
    "autoencoder": ("autoencoder", ()),
    "decoder": ("autoencoder", ("autoencoder",)),
    "fusion": ("fusion", ()),
    "diffusion": ("diffusion", ("autoencoder", "fusion")),
}


def train_stages(corpora: list[str], work: Path, size: str, overrides: list[str]) -> None:
    """Train all stages in `work`, each in a folder of its name."""
    for stage, (kind, parts) in STAGES.items():
        output = work / stage
        given = [f"output={output}", f"data.roots=[{','.join(corpora)}]", f"validation=[{corpora[0]}]"]
        given += [f"{part}={work / part / 'model'}" for part in parts]
        train_stage(kind, CONFIGS / size / f"{stage}.yaml", given + overrides, name=stage)


def main() -> None:
    """Parse the command line and run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--work", type=Path, default=Path("runs/mini"))
    parser.add_argument("--output", type=Path, default=Path("mini"))
    parser.add_argument("--size", choices=("mini", "tiny"), default="mini")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="settings of all stages")
    arguments = parser.parse_args()
    try:
        train_stages(arguments.corpora, arguments.work, arguments.size, arguments.set)
        assemble(arguments.work / "diffusion" / "model", arguments.work / "decoder" / "model", arguments.output)
    except UserError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
