"""The processes behind the page: files are read and rendered there, so that none stops the page or other users."""

from pathlib import Path
from queue import SimpleQueue
from typing import Any

from signgen.runtime.isolated_worker import TOLD, IsolatedWorker
from signgen.ui import actions, rendering
from signgen.ui.actions import Limits

READERS = 2
READING_MEGABYTES, RENDERING_MEGABYTES = 1536, 16_384
READING_SECONDS = 120

Files = tuple[Path, Path, bool, bool]
Choice = tuple[str, int | None, int]


class Workers:
    """Some that look at files, one that renders. A context manager: they end with the block."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._all = [IsolatedWorker(READING_MEGABYTES) for _ in range(READERS)]
        self._free: SimpleQueue[IsolatedWorker] = SimpleQueue()
        for worker in self._all:
            self._free.put(worker)
        self._renderer = IsolatedWorker(RENDERING_MEGABYTES)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in (*self._all, self._renderer):
            worker.close()

    def look(self, image: Path | None, poses: Path | None, smooth: bool, align: bool, told: TOLD) -> Any:
        """`actions.look_at`."""
        worker = self._free.get()
        try:
            arguments = image, poses, smooth, align, self._limits
            return worker.call(actions.look_at, *arguments, seconds=READING_SECONDS, told=told)
        finally:
            self._free.put(worker)

    def render(self, files: Files, choice: Choice, folder: Path, told: TOLD) -> tuple[Path, Path]:
        """`rendering.render_files`: the signer signing, and the same beside the skeleton. Callers wait in line."""
        arguments = *files, self._limits, *choice, folder
        return self._renderer.call(rendering.render_files, *arguments, seconds=self._limits.seconds, told=told)
