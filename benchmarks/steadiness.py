"""How steady a model's own rendering is beside the published procedure on the same weights.

    python benchmarks/steadiness.py mini ../shared/data/synthetic-signers [--clips 2]

Background flicker beyond the reference's own, and hand jitter beyond the driving pose's (the acceleration of hand
points that an estimator finds again), both as `docs/metrics.md` defines them. Each of the two is to be at most half of
the published procedure's. The rows are those of `shortcuts.py`, in the same folder. Prints a table and writes
steadiness.json. Hand jitter needs MediaPipe; where it is not installed, the output says so.
"""

import json
import math
import sys
from typing import Any

from rich.console import Console
from rich.table import Table
from shortcuts import measured, parser

from signgen.errors import UserError

METRICS = ("flicker", "warping-error", "hand-pe")
EXCESSES = {"flicker-excess": "background flicker", "hand-jitter-excess": "hand jitter"}
COLUMNS = (
    *("flicker", "flicker-reference", "flicker-excess"),
    *("hand-jitter", "hand-jitter-reference", "hand-jitter-excess", "hands-found"),
    "warping-error",
)
PUBLISHED, OURS = "published", "default"


def comparison(result: dict[str, dict[str, float]], excess: str) -> str:
    """What came of one of the excesses, in words; below zero nothing is in excess."""
    published, ours = (result[row][excess] for row in (PUBLISHED, OURS))
    if math.isnan(published) or math.isnan(ours):
        return f"excess {EXCESSES[excess]}: not known, too little was found"
    verdict = "at most half" if max(ours, 0) <= max(published, 0) / 2 else "more than half"
    return f"excess {EXCESSES[excess]}: {ours:.3f}, published {published:.3f}: {verdict}"


def main() -> None:
    """Parse the command line, measure, print and write."""
    arguments = parser(__doc__).parse_args()
    result: dict[str, dict[str, float]] = {}
    unavailable: dict[str, Any] = {}
    try:
        for name, scores, _ in measured(arguments, (PUBLISHED, OURS), METRICS):
            result[name] = {column: scores[column] for column in COLUMNS if column in scores.scores}
            unavailable = scores.unavailable
    except UserError as error:
        sys.exit(f"{error}")
    table = Table("", *result[OURS])
    for name, values in result.items():
        table.add_row(name, *(f"{value:.3f}" for value in values.values()))
    console = Console(width=160)
    console.print(table)
    for excess in EXCESSES:
        if excess in result[OURS]:
            console.print(comparison(result, excess))
    for metric, reason in unavailable.items():
        console.print(f"{metric} is not there: {reason}")
    (arguments.output / "steadiness.json").write_text(json.dumps({"rows": result} | unavailable, indent=2) + "\n")


if __name__ == "__main__":
    main()
