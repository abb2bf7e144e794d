"""Phoenix-2014T's annotation tables: one clip a line, seven columns, `|` between them."""

from dataclasses import dataclass
from pathlib import Path

from signgen.errors import UserError
from signgen.io.limits import read_text

COLUMNS = ("name", "video", "start", "end", "speaker", "orth", "translation")


@dataclass(frozen=True)
class Annotation:
    """One line of a table: `orth` is the gloss transcription, `frames` their number where it is told."""

    name: str
    video: str
    speaker: str
    orth: str
    translation: str
    frames: int | None = None


def read_annotations(path: Path) -> list[Annotation]:
    """Reads a `*.corpus.csv` in file order.

    The `start` and `end` columns (always -1) are dropped. Raises UserError, naming file and line, for a file
    that is missing, not UTF-8, or not such a table, and for a clip named twice.
    """
    try:
        lines = read_text(path, "utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read this annotation table ({error})") from error
    if tuple(lines[0].rstrip("\r").split("|")) != COLUMNS:
        raise UserError(f"{path}: line 1 must be {'|'.join(COLUMNS)}; as in Phoenix-2014T's tables")
    rows: dict[str, Annotation] = {}
    for number, line in enumerate(lines[1:], start=2):
        line = line.rstrip("\r")
        if not line:
            continue
        row = _parse_line(path, number, line)
        if row.name in rows:
            raise UserError(f"{path}: line {number}: clip {row.name} is listed twice")
        rows[row.name] = row
    return list(rows.values())


def is_clip_name(name: str) -> bool:
    """Whether `name` can be the name of a file or folder. Tables may come from strangers."""
    return name not in ("", ".", "..") and name.isprintable() and not set(name) & set("/\\")


def _parse_line(path: Path, number: int, line: str) -> Annotation:
    fields = line.split("|")
    if len(fields) != len(COLUMNS):
        raise UserError(f"{path}: line {number} has {len(fields)} columns, expected {len(COLUMNS)}")
    name, video, _, _, speaker, orth, translation = fields
    if not is_clip_name(name):
        raise UserError(f"{path}: line {number}: {name!r} cannot be the name of a clip")
    return Annotation(name, video, speaker, orth, translation)
