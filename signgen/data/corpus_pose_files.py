"""The pose files of a corpus. One file often holds the poses of thousands of clips."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from signgen.poses.formats.detect import list_sequences
from signgen.poses.formats.raw import Sequences


class PoseFiles:
    """Opens pose files for many threads. A file that several clips share is read once and kept in memory."""

    def __init__(self, paths: Iterable[Path | None]) -> None:
        """`paths` are the pose files of the clips, one each."""
        self._shared = {path for path, clips in Counter(paths).items() if path is not None and clips > 1}
        self._kept: dict[Path, Sequences] = {}
        self._lock = Lock()  # else each of many threads would read a file of a gigabyte for itself

    def open(self, path: Path) -> Sequences:
        """The sequences of a file by name. Raises UserError, naming the file, if it holds no poses."""
        if path not in self._shared:
            return list_sequences(path)
        with self._lock:
            if path not in self._kept:
                self._kept[path] = list_sequences(path)
            return self._kept[path]
