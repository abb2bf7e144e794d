"""The field's label files of Phoenix-2014T (`phoenix-2014t.<split>`): gzip pickles, one entry a clip."""

import gzip
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from signgen.data.phoenix_annotations import Annotation, is_clip_name
from signgen.errors import UserError
from signgen.io.safe_pickle import load_pickle

GZIP_MAGIC = b"\x1f\x8b"
MAX_BYTES = 1 << 30  # unpacked; the largest of the official files takes 10 MB


def read_labels(path: Path) -> list[Annotation]:
    """Reads the names, signers, glosses, texts and numbers of frames, in file order; features are left.

    The pickle is read through an allow-list. Raises UserError, naming the file, for anything else.
    """
    content = load_pickle(_unpacked(path), path)
    if isinstance(content, dict):
        content = content.values()
    elif not isinstance(content, list):
        raise UserError(f"{path}: holds a {type(content).__name__}, not a list of labelled clips")
    return [_annotation(path, entry) for entry in _entries(path, content)]


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot read this label file ({error})") from error
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: too large for a label file")
    return content


def _entries(path: Path, entries: Iterable[Any]) -> Iterable[dict[str, Any]]:
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise UserError(f"{path}: entry {number} has no name")
        yield entry


def _annotation(path: Path, entry: dict[str, Any]) -> Annotation:
    name = entry["name"].rsplit("/", 1)[-1]  # "test/<clip>" there, "<clip>" in the tables
    length = entry.get("num_frames")
    if not is_clip_name(name):
        raise UserError(f"{path}: {name!r} cannot be the name of a clip")
    if length is not None and not (isinstance(length, int) and length > 0):
        raise UserError(f"{path}: clip {name} has {length!r} frames")
    signer, gloss, text = (str(entry.get(key, "")) for key in ("signer", "gloss", "text"))
    return Annotation(name, entry["name"], signer, gloss, text, length)
