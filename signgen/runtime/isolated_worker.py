"""A process for work on files of strangers: it has so much memory and time, and is killed when it takes more."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from signgen.errors import UserError, one_line

LOOK = 0.1  # seconds between two looks at the memory
TOLD = Callable[[Any], None]


class IsolatedWorker:
    """One process that calls functions for this one, one at a time. It starts at the first call.

    Args:
        megabytes: of memory that the process may take.
    """

    def __init__(self, megabytes: int) -> None:
        self._limit = megabytes << 20
        self._busy = False
        self._lock = threading.Lock()
        self._process: Any = None
        self._connection: Connection

    def call(self, function: Callable[..., Any], *arguments: Any, seconds: float, told: TOLD = print) -> Any:
        """What `function(*arguments, tell)` returns; what it tells is passed on to `told` as it comes.

        Raises UserError where the function does, and where it takes more than `seconds` or the memory: the process is
        killed then, and another one begins with the next call. Callers wait for each other.
        """
        with self._lock:
            if self._process is None or not self._process.is_alive():
                self._begin()
            try:
                self._connection.send((function, arguments))
                return self._answer(time.monotonic() + seconds, seconds, told)
            except (EOFError, OSError) as error:
                self.close()
                raise UserError("this took too much memory, or broke down: try a smaller file") from error
            except BaseException:
                if self._busy:
                    self.close()
                raise

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None

    def _begin(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def _answer(self, end: float, seconds: float, told: TOLD) -> Any:
        self._busy = True
        while True:
            if self._connection.poll(LOOK):
                kind, value = self._connection.recv()
                if kind == "told":
                    told(value)
                    continue
                self._busy = False
                if kind == "error":
                    raise UserError(value)
                return value
            if time.monotonic() > end:
                raise UserError(f"this took more than {seconds:.0f} seconds: try fewer frames, or a smaller file")
            if _memory(self._process.pid) > self._limit:
                raise UserError(f"this took more than {self._limit >> 20} MiB of memory: try a smaller file")


def _serve(connection: Connection) -> None:
    """What the process does: it ends when the other end of the connection does."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that this one works for
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        try:
            answer = "done", function(*arguments, lambda value: connection.send(("told", value)))
        except UserError as error:
            answer = "error", str(error)
        except MemoryError:
            os._exit(1)
        except Exception as error:  # whatever strangers' files can do to a library
            answer = "error", f"it cannot be used ({one_line(error)})"
        connection.send(answer)


def _memory(pid: int) -> int:
    """Bytes that a process has in memory; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0
