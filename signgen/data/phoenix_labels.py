"""The field's label files of Phoenix-2014T (`phoenix-2014t.<split>`): gzip pickles, one entry a clip."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from signgen.data.phoenix_annotations import Annotation, is_clip_name
from signgen.errors import UserError
from signgen.io.limits import read_bytes, unzipped
from signgen.io.safe_pickle import load_pickle

GZIP_MAGIC = b"\x1f\x8b"
MAX_BYTES = 256 << 20  # unpacked; the largest of the official files takes 10 MB


def read_labels(path: Path) -> list[Annotation]:
    """Reads the names, signers, glosses, texts and numbers of frames, in file order; features are not read.

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
        return unzipped(read_bytes(path), MAX_BYTES)
    except OSError as error:
        raise UserError(f"{path}: cannot read this label file ({error.strerror})") from error
    except UserError as error:
        raise UserError(f"{path}: cannot read this label file ({error})") from error


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
    if length is not None and not (isinstance(length, int) and 0 < length < 1 << 31):
        raise UserError(f"{path}: clip {name} has {length!r} frames")
    signer, gloss, text = (_text(path, entry, key) for key in ("signer", "gloss", "text"))
    return Annotation(name, entry["name"], signer, gloss, text, length)


def _text(path: Path, entry: dict[str, Any], key: str) -> str:
    value = entry.get(key, "")
    if not isinstance(value, str):
        raise UserError(f"{path}: the {key} of clip {entry['name']} is a {type(value).__name__}, not text")
    return value
