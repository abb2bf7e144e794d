"""The embedded model from nothing: five trainings, then a folder in half precision.

    python pipelines/mini.py CORPUS [CORPUS ...] --work runs/mini --output mini

Every stage goes on where it was stopped; one that is done is not repeated. `--size tiny` runs the same in a minute.
"""

import argparse
from pathlib import Path

from signgen.errors import one_line_errors
from signgen.runtime.ranks import by_main_process
from signgen.systems.stages import MINI_STAGES, assemble, train_stages

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


def main() -> None:
    """Parse the command line and run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--work", type=Path, default=Path("runs/mini"))
    parser.add_argument("--output", type=Path, default=Path("mini"))
    parser.add_argument("--size", choices=("mini", "tiny"), default="mini")
    parser.add_argument("--set", nargs="*", default=[], metavar="[STAGE:]KEY=VALUE", help="settings")
    arguments = parser.parse_args()
    with one_line_errors():
        data = [f"data.roots=[{','.join(arguments.corpora)}]", f"validation=[{arguments.corpora[0]}]"]
        model = train_stages(CONFIGS / arguments.size, arguments.work, [*data, *arguments.set], MINI_STAGES)
        by_main_process(lambda: assemble(model, arguments.work / "decoder" / "model", arguments.output))


if __name__ == "__main__":
    main()
