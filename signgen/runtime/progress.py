"""Shows the progress of long work on stderr: a bar on a terminal, and elsewhere a line every few seconds."""

import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

from signgen.runtime.ranks import is_main_process

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

Item = TypeVar("Item")
FIRST_LINE, LINE_INTERVAL = 2.0, 5.0  # seconds to the first progress line and between lines, off a terminal


Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]
"""How a caller learns of progress: it wraps the items of some work, given their number and what happens to them."""


def silent(items: Iterable[Item], total: int, what: str) -> Iterable[Item]:
    """Show nothing."""
    return items


_shown: ContextVar[Progress] = ContextVar("progress", default=silent)


@contextmanager
def showing(progress: Progress) -> Iterator[None]:
    """Inside the block, `progress` wraps what is read and checked before the work that a caller asked for."""
    before = _shown.set(progress)
    try:
        yield
    finally:
        _shown.reset(before)


def shown(items: Iterable[Item], total: int, what: str) -> Iterable[Item]:
    """The items, wrapped as the caller wants it; without `showing`, nothing is shown."""
    return _shown.get()(items, total, what)


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
        self._state = ""  # as of the last update; empty while there is no rate
        self._last = self._pace = 0.0  # time of the last update, seconds per item
        shown = is_main_process()  # the others would show the same
        self._line_due = time.monotonic() + (FIRST_LINE if shown else math.inf)
        self._bar: Bar | None = _bar() if shown and sys.stderr.isatty() else None

    def __enter__(self) -> "Meter":
        if self._bar:
            self._bar.start()
            self._task = self._bar.add_task(self._what, total=self._total, state="")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, done: int, note: str = "") -> None:
        """Show that `done` of the total are done; `note` is shown beside the rate."""
        now = time.monotonic()
        if not self._bar and self._line_due <= now and self._paused(now):
            print(f"{self._what}: {self._state}", file=sys.stderr, flush=True)
            self._line_due = now + LINE_INTERVAL
        self._first, self._last = self._first or (done, now), now
        count, seconds = done - self._first[0], now - self._first[1]
        if count and seconds:
            self._pace = seconds / count
            left = _clock((self._total - done) * self._pace)
            note = f", {note}" if note else ""
            self._state = f"{done}/{self._total}, {1 / self._pace:.3g} {self._unit}/s{note}, {left} left"
        if self._bar:
            self._bar.update(self._task, completed=done, state=self._state)

    def _paused(self, now: float) -> bool:
        """Whether the last update was the end of a batch. Frames come in batches; inside one the rate means little."""
        return bool(self._state) and now - self._last >= self._pace / 2


def _bar() -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}")
    return Progress(*columns, console=Console(stderr=True))


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
