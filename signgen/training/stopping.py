"""Ctrl-C and termination as requests: a run ends its step and is checkpointed."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_requests() -> Iterator[list[int]]:
    """A list that holds the signal once Ctrl-C or a termination is asked for; a second one is not caught."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def note(number: int, frame: object) -> None:
        received.append(number)
        signal.signal(number, before[signal.Signals(number)])

    try:
        for number in STOP_SIGNALS:
            signal.signal(number, note)
        yield received
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, before[signal.Signals(number)])


def leave_signals_to_the_main_process(worker: int) -> None:
    """For a data loader's worker: both signals reach the whole process group, and workers go on until the main process
    has checkpointed."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
