"""What a verb prints: its result on stdout, progress on stderr."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout and nothing else there.")]
FIRST_LINE, LINE_INTERVAL = 2.0, 5.0  # seconds to the first progress line and between lines, off a terminal


def report(result: dict[str, Any], as_json: bool, text: str) -> None:
    """Print the result of a verb: one JSON object, or the text."""
    print(json.dumps(result, allow_nan=False, default=str) if as_json else text)


def track(items: Iterable[Item], total: int, what: str, unit: str = "frames") -> Iterator[Item]:
    """Yield the items, and show on stderr how many of `total` went by, at which rate, and the time left."""
    with Meter(total, what, unit) as meter:
        meter.update(0)
        for done, item in enumerate(items, start=1):
            yield item
            meter.update(done)


class Meter:
    """Progress on stderr: a bar on a terminal, a line now and then elsewhere.

    Rate and remaining time count from the first update, so that a resumed run does not seem fast.
    """

    def __init__(self, total: int, what: str, unit: str):
        self._total, self._what, self._unit = total, what, unit
        self._first: tuple[int, float] | None = None
        self._line_due = time.monotonic() + FIRST_LINE
        self._bar: Progress | None = _bar() if sys.stderr.isatty() else None

    def __enter__(self) -> "Meter":
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total, speed="", left="-:--")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, done: int, note: str = "") -> None:
        """`done` of the total are behind us; `note` is shown beside the rate."""
        now = time.monotonic()
        self._first = self._first or (done, now)
        count, seconds = done - self._first[0], now - self._first[1]
        rate = count / seconds if count and seconds else None
        speed = ", ".join(filter(None, [f"{rate:.3g} {self._unit}/s" if rate else "", note]))
        if self._bar:
            left = _clock((self._total - done) / rate) if rate else "-:--"
            self._bar.update(self._task, completed=done, speed=speed, left=left)
        elif rate and now >= self._line_due:
            left = _clock((self._total - done) / rate)
            print(f"{self._what}: {done}/{self._total}, {speed}, {left} left", file=sys.stderr, flush=True)
            self._line_due = now + LINE_INTERVAL


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TextColumn("{task.fields[left]} left"),
        console=Console(stderr=True),
    )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
