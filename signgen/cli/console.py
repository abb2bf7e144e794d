"""What a verb prints: its result on stdout, progress on stderr."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, TypeVar

import typer

Item = TypeVar("Item")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
LINE_INTERVAL = 5.0  # seconds between progress lines where there is no terminal; the first comes after two


def report(result: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result of a verb: one JSON object, or the text."""
    print(json.dumps(result, allow_nan=False, default=str) if as_json else text)


def track(items: Iterable[Item], total: int, what: str, unit: str = "frames") -> Iterator[Item]:
    """Yield the items and show on stderr how many of `total` went by, at which rate, and the time left."""
    return _bar(items, total, what, unit) if sys.stderr.isatty() else _lines(items, total, what, unit)


def _bar(items: Iterable[Item], total: int, what: str, unit: str) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(what, total=total, rate="")
        for done, item in enumerate(items, start=1):
            yield item
            progress.update(task, completed=done, rate=_rate(done, start, unit))


def _lines(items: Iterable[Item], total: int, what: str, unit: str) -> Iterator[Item]:
    start = time.monotonic()
    due = start + 2
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now >= due:
            left = (now - start) / done * max(0, total - done)
            print(
                f"{what}: {done}/{total} {_rate(done, start, unit)}, {left:.0f} s left",
                file=sys.stderr,
                flush=True,
            )
            due = now + LINE_INTERVAL


def _rate(done: int, start: float, unit: str) -> str:
    return f"{done / max(time.monotonic() - start, 1e-6):.3g} {unit}/s"
