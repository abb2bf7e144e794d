"""Scores of clips in a file as they are made, so that an interrupted evaluation goes on where it stopped."""

import hashlib
import json
import zlib
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.evaluation.pairing import ClipPair
from signgen.evaluation.scores import ClipScores
from signgen.io.atomic_files import atomic_path
from signgen.io.json_lines import read_json_lines


class StoredRows:
    """A file of JSON lines: what was computed and how, then a clip's scores a line.

    The file's name below `folder` follows from `settings`, what scores depend on beside the clips: scores made
    otherwise are left alone. A clip counts as scored while its files (size and time of change) and its keypoints are
    the same. Raises UserError where the file is damaged before its last line.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        header = json.dumps(settings, sort_keys=True)
        self._path = folder / f"{hashlib.sha256(header.encode()).hexdigest()[:16]}.jsonl"
        rows = read_json_lines(self._path)[1:] if self._path.exists() else []
        if broken := next((row for row in rows if not _is_row(row)), None):
            raise UserError(f"{self._path}: these are no scores of a clip: {json.dumps(broken)}: delete the file")
        self._rows: dict[str, dict[str, Any]] = {row["name"]: row for row in rows}
        with atomic_path(self._path) as temporary:  # a line that was cut short is gone
            temporary.write_text("".join(f"{line}\n" for line in [header, *map(json.dumps, self._rows.values())]))

    def get(self, pair: ClipPair, keypoints: np.ndarray | None) -> ClipScores | None:
        """The scores of a clip, None where they are not stored or it has changed since."""
        row = self._rows.get(pair.name)
        if row is None or row["stamp"] != _stamp(pair, keypoints):
            return None
        stored = {name: value for name, value in row.items() if name != "stamp"}
        return ClipScores(**stored | {"size": tuple(row["size"])})

    def add(self, pair: ClipPair, keypoints: np.ndarray | None, scores: ClipScores) -> None:
        """Store the scores of a clip."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(scores) | {"stamp": _stamp(pair, keypoints)}) + "\n")


def _is_row(row: dict[str, Any]) -> bool:
    """Whether a line holds the scores of a clip: their sums, and of how many values."""
    kinds = {field.name for field in fields(ClipScores)} | {"stamp"}
    size, totals, counts = (row.get(name) for name in ("size", "totals", "counts"))
    return (
        row.keys() == kinds
        and isinstance(row["name"], str)
        and type(row["frames"]) is int
        and isinstance(size, list)
        and [type(side) for side in size] == [int, int]
        and all(isinstance(numbers, dict) for numbers in (totals, counts))
        and all(isinstance(value, int | float) for value in [*totals.values(), *counts.values()])  # type: ignore[union-attr]
    )


def _stamp(pair: ClipPair, keypoints: np.ndarray | None) -> list[list[int] | int]:
    points = 0 if keypoints is None else zlib.crc32(keypoints.tobytes())
    return [_state(pair.generated), _state(pair.reference), points]


def _state(path: Path) -> list[int]:
    """Number of files, their bytes, and the time of the last change in nanoseconds."""
    found = [child.stat() for child in path.iterdir()] if path.is_dir() else [path.stat()]
    return [len(found), sum(each.st_size for each in found), max(each.st_mtime_ns for each in found)]
