"""What a verb prints: its result on stdout, progress on stderr."""

import json
import sys
from typing import Annotated, Any

import typer

from signgen.progress import Meter, track

__all__ = ["Json", "Meter", "announce", "report", "track"]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]


def report(result: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result of a verb: one JSON object, or the text."""
    print(json.dumps(result, allow_nan=False, default=str) if as_json else text)


def announce(what: str) -> None:
    """Say on a terminal what takes seconds before there is anything to count."""
    if sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr, flush=True)
