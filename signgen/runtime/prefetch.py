"""Overlaps work and keeps its order: frames are encoded while the next ones are sampled, read while others are scored,
and copied from a device while it works on the next ones."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from queue import Queue
from threading import Event, Thread
from typing import TypeVar

Item = TypeVar("Item")
DEPTH = 16


@contextmanager
def overlapped(consume: Callable[[Item], None], depth: int = DEPTH) -> Iterator[Callable[[Item], None]]:
    """A function to hand items to `consume`, which takes them one by one, in their order, in a thread of its own.

    At most `depth` items wait; handing over then waits too, so that memory does not grow. Leaving the block waits for
    what was handed over. An error of `consume` is raised at the next item or at the block's end; on an error in the
    block, Ctrl-C included, what still waits is dropped.
    """
    items: Queue[list[Item]] = Queue(depth)
    failures: list[BaseException] = []
    dropped = Event()

    def work() -> None:
        while item := items.get():
            if not failures and not dropped.is_set():
                try:
                    consume(item[0])
                except BaseException as error:
                    failures.append(error)

    def hand_over(item: Item) -> None:
        if failures:
            raise failures[0]
        items.put([item])

    thread = Thread(target=work, daemon=True)
    thread.start()
    try:
        yield hand_over
    except BaseException:
        dropped.set()
        raise
    finally:
        items.put([])
        thread.join()
    if failures:
        raise failures[0]


def one_late(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items in their order, each after the next one has been taken. So one item is always in work on a
    device."""
    latest = list(islice(items, 1))
    for item in items:
        yield latest.pop()
        latest.append(item)
    yield from latest


def read_ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the items in their order. A thread takes the next item while the caller uses the one before."""
    end: list[Item] = []
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(next, items, end)
        while (item := waiting.result()) is not end:
            waiting = pool.submit(next, items, end)
            yield item  # type: ignore[misc]  # only `end` is a list of items
