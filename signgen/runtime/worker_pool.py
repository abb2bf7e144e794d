"""Runs work in several processes. Each process is prepared once. Memory is bounded: few items are in work at a time."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from typing import Any, TypeVar

Item = TypeVar("Item")
Submit = Callable[[Item], "Future[Any]"]
AHEAD = 2  # items for each process that are prepared and wait: memory stays bounded, no process does


@contextmanager
def processes(count: int, threads: int, start: Callable[..., None], *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """Fresh processes that have called `start(*arguments)`, with so many of torch's threads each.

    They end with this one, whatever ends it; on an error in the block, what they have not begun is dropped. `arguments`
    may hold a queue of the "spawn" context. Raises ChildProcessError where one of them was killed.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, _begin, (threads, start, arguments)) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            reason = "a process that did part of the work was killed, perhaps for want of memory"
            raise ChildProcessError(reason) from error
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def as_completed(submit: Submit, items: Iterable[Item], limit: int) -> Iterator[Any]:
    """Yield results as soon as they are ready, with at most `limit` items in work."""
    waiting = iter(items)
    running = {submit(item) for item in islice(waiting, limit)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        running |= {submit(item) for item in islice(waiting, len(done))}
        for future in done:
            yield future.result()


def in_order(submit: Submit, items: Iterable[Item], limit: int) -> Iterator[Any]:
    """Yield results in the order of the items, with at most `limit` items in work or waiting for their turn."""
    waiting = iter(items)
    running = deque(submit(item) for item in islice(waiting, limit))
    while running:
        result = running.popleft().result()
        running.extend(submit(item) for item in islice(waiting, 1))
        yield result


def _begin(threads: int, start: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    import torch

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all processes: these are to end without a traceback
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    start(*arguments)


def _end_with_parent() -> None:
    """End this process when its parent ends. A parent that is killed would leave it waiting for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
