"""Scores of clips in a file as they are made, so that an interrupted evaluation goes on where it stopped."""

import hashlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.evaluation.pairing import ClipPair
from signgen.evaluation.scores import ClipScores
from signgen.io.atomic_files import atomic_path


class StoredRows:
    """A file of JSON lines: what was computed and how, then a clip's scores a line.

    The file's name below `folder` follows from `settings`, what scores depend on beside the clips: scores made
    otherwise are left alone. A clip counts as scored while its files (size and time of change) and its key points are
    the same. Raises UserError where the file is damaged before its last line.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        header = json.dumps(settings, sort_keys=True)
        self._path = folder / f"{hashlib.sha256(header.encode()).hexdigest()[:16]}.jsonl"
        rows = list(_lines(self._path))[1:] if self._path.exists() else []
        self._rows: dict[str, dict[str, Any]] = {row["name"]: row for row in rows}
        with atomic_path(self._path) as temporary:  # a line that was cut short is gone
            temporary.write_text("".join(f"{line}\n" for line in [header, *map(json.dumps, self._rows.values())]))

    def get(self, pair: ClipPair, keypoints: np.ndarray | None) -> ClipScores | None:
        """The scores of a clip, None where they are not stored or it has changed since."""
        row = self._rows.get(pair.name)
        if row is None or row["stamp"] != _stamp(pair, keypoints):
            return None
        fields = {name: value for name, value in row.items() if name != "stamp"}
        return ClipScores(**fields | {"size": tuple(row["size"])})

    def add(self, pair: ClipPair, keypoints: np.ndarray | None, scores: ClipScores) -> None:
        """Store the scores of a clip."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(scores) | {"stamp": _stamp(pair, keypoints)}) + "\n")


def _lines(path: Path) -> Iterator[Any]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number < len(lines):
                raise UserError(f"{path}: line {number} is broken: delete the file, or that line") from error


def _stamp(pair: ClipPair, keypoints: np.ndarray | None) -> list[list[int] | int]:
    points = 0 if keypoints is None else zlib.crc32(keypoints.tobytes())
    return [_state(pair.generated), _state(pair.reference), points]


def _state(path: Path) -> list[int]:
    """Number of files, their bytes, and the time of the last change in nanoseconds."""
    found = [child.stat() for child in path.iterdir()] if path.is_dir() else [path.stat()]
    return [len(found), sum(each.st_size for each in found), max(each.st_mtime_ns for each in found)]
