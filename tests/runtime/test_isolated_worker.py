import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from signgen.errors import UserError
from signgen.runtime.isolated_worker import IsolatedWorker


@pytest.fixture(scope="module")
def worker() -> Iterator[IsolatedWorker]:
    worker = IsolatedWorker(megabytes=200)
    yield worker
    worker.close()


def doubled(number: int, tell: Any) -> int:
    tell(number)
    return 2 * number


def sleeping(tell: Any) -> None:
    time.sleep(60)


def greedy(tell: Any) -> None:
    held = []
    while True:
        held.append(b"x" * 10_000_000)
        time.sleep(0.01)


def dying(tell: Any) -> None:
    os._exit(3)


def mistaken(tell: Any) -> None:
    raise UserError("no such thing")


def broken(tell: Any) -> None:
    raise KeyError("x")


def test_results_and_messages_come_back(worker: IsolatedWorker) -> None:
    told: list[Any] = []
    assert worker.call(doubled, 21, seconds=60, told=told.append) == 42
    assert told == [21]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (sleeping, "more than 1 seconds"),
        (greedy, "more than 200 MiB"),
        (dying, "broke down"),
        (mistaken, "no such thing"),
        (broken, r"cannot be used \('x'\)"),
    ],
)
def test_what_goes_wrong_is_told_and_the_next_call_works(worker: IsolatedWorker, function: Any, reason: str) -> None:
    worker.call(doubled, 0, seconds=60)  # it has begun
    start = time.monotonic()
    with pytest.raises(UserError, match=reason):
        worker.call(function, seconds=1 if function is sleeping else 60)
    assert time.monotonic() - start < 30
    assert worker.call(doubled, 4, seconds=60) == 8
