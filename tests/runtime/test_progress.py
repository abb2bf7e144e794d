import sys
from collections.abc import Iterator

import pytest

from signgen.runtime import progress
from signgen.runtime.progress import Meter, track


class Clock:
    """A clock that a test sets."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_lines_come_after_two_seconds_and_then_every_five(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    for _ in track(range(100), 100, "Rendering"):
        clock.now += 0.25
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[:2] == [
        "Rendering: 7/100, 4 frames/s, 0:23 left",
        "Rendering: 27/100, 4 frames/s, 0:18 left",
    ]
    assert len(err.splitlines()) == 5


def test_batches_do_not_distort_the_rate(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    def batches() -> Iterator[int]:
        for frame in range(24):
            clock.now += 8 * (frame % 8 == 0)
            yield frame

    assert list(track(batches(), 24, "Rendering")) == list(range(24))
    assert capsys.readouterr().err.splitlines() == [
        "Rendering: 8/24, 1 frames/s, 0:16 left",
        "Rendering: 16/24, 1 frames/s, 0:08 left",
    ]


def test_quick_work_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(10), 10, "Rendering")) == list(range(10))
    assert capsys.readouterr() == ("", "")


def test_a_resumed_run_counts_from_where_it_began(capsys: pytest.CaptureFixture[str], clock: Clock) -> None:
    with Meter(2000, "Training", "steps") as meter:
        meter.update(1000, "loss 2")
        clock.now += 10
        meter.update(1020, "loss 1")
        clock.now += 10
        meter.update(1040, "loss 0")
    assert capsys.readouterr().err == "Training: 1020/2000, 2 steps/s, loss 1, 8:10 left\n"


def test_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(track(iter("abc"), 3, "Rendering")) == ["a", "b", "c"]
    out, err = capsys.readouterr()
    assert out == ""
    assert "Rendering" in err
    assert "3/3" in err


def test_reading_is_silent_unless_the_caller_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[int, str]] = []

    def told_of(items, total, what):
        told.append((total, what))
        return items

    assert list(progress.shown("abc", 3, "Reading")) == ["a", "b", "c"]
    with progress.showing(told_of):
        assert list(progress.shown("abc", 3, "Reading")) == ["a", "b", "c"]
    assert list(progress.shown("abc", 3, "Reading")) == ["a", "b", "c"]
    assert told == [(3, "Reading")]
    assert capsys.readouterr() == ("", "")
