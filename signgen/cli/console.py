"""What a verb prints: its result on stdout, progress on stderr."""

import json
import re
import sys
from typing import Annotated, Any

import typer

from signgen.errors import UserError, printable
from signgen.runtime.progress import Meter, track
from signgen.runtime.ranks import is_main_process

__all__ = [
    "BASICS",
    "FILES",
    "MACHINE",
    "NETWORKS",
    "POSES",
    "QUALITY",
    "SPEED",
    "Json",
    "Meter",
    "announce",
    "parse_size",
    "report",
    "track",
]

# The panels of `VERB --help`, by what their options are about.
BASICS, POSES, QUALITY, SPEED = "Basics", "Poses", "Quality", "Speed"
FILES, NETWORKS, MACHINE = "Files", "Networks", "Machine"

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]


def report(result: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result of a verb: one JSON object, or the text; of several processes one prints it."""
    if is_main_process():
        lines = map(printable, text.split("\n"))
        print(json.dumps(result, allow_nan=False, default=str) if as_json else "\n".join(lines))


def announce(what: str) -> None:
    """Say on a terminal what takes seconds before there is anything to count."""
    if sys.stderr.isatty():
        print(f"{what} ...", file=sys.stderr, flush=True)


def parse_size(text: str | None, option: str = "--size") -> tuple[int, int] | None:
    """The value of an option, WIDTHxHEIGHT, as (width, height); None where it is not given."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if match is None:
        raise UserError(f"{option} {text}: expected WIDTHxHEIGHT, such as 210x260")
    return int(match[1]), int(match[2])
