"""DeepFashion In-shop's lists: names of images, and pairs of images.

The lists spell one image in many ways (`fashionWOMENTees_Tanksid0000347017_3back.jpg`,
`fasionWOMENTeesTanks...`, `./img/WOMEN/Tees_Tanks/id_00003470/17_3_back.jpg`). Here it is always its path
without folder and suffix, `WOMEN/Tees_Tanks/id_00003470/17_3_back`, called its key.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from signgen.errors import UserError
from signgen.io.limits import parse_json, read_text

# The lists that misspell "fashion" leave the underscores out of the categories, too.
FLAT_NAME = re.compile(
    r"fash?ion(MEN|WOMEN)([A-Za-z_]+)id(\d{8})(\d{2})_(\d)(front|back|side|full|additional|flat)(?:\.\w+)?"
)
PATH_NAME = re.compile(
    r"(?:.*/)?((?:MEN|WOMEN)/[A-Za-z_]+/id_\d{8}/\d{2}_\d_(?:front|back|side|full|additional|flat))(?:\.\w+)?"
)
WORD_BOUNDARY = re.compile(r"(?<=[a-z])(?=[A-Z])")


class ImagePair(NamedTuple):
    """Keys of two images of one person in one garment."""

    source: str
    target: str


def image_key(name: str) -> str:
    """The key of an image, whichever way a list spells it. Raises UserError for anything else."""
    if match := PATH_NAME.fullmatch(name):
        return match[1]
    if match := FLAT_NAME.fullmatch(name):
        gender, category, person, garment, number, view = match.groups()
        return f"{gender}/{WORD_BOUNDARY.sub('_', category)}/id_{person}/{garment}_{number}_{view}"
    raise UserError(f"{name[:100]!r} is not the name of a DeepFashion image")


def read_image_list(path: Path) -> list[str]:
    """Keys of a `.lst` file, one image a line. Raises UserError naming file and line."""
    return [_key_at(path, number, line) for number, line in _lines(path)]


def read_pairs(path: Path) -> list[ImagePair]:
    """Pairs of a CSV (`from,to`) or of a JSON list of {"source_image", "target_image"}, by content.

    Raises UserError, naming the file and the line or entry.
    """
    text = _text(path)
    if text.lstrip().startswith("["):
        return _pairs_of_json(path, text)
    try:
        rows = list(enumerate(csv.reader(line for _, line in _lines(path)), start=1))
    except csv.Error as error:  # a field of over 128 KiB; on Python 3.10 a NUL as well
        raise UserError(f"{path}: broken table ({error})") from error
    if not rows or rows[0][1] != ["from", "to"]:
        raise UserError(f"{path}: neither a CSV of pairs (first line from,to) nor a JSON list of them")
    return [_pair(path, number, row) for number, row in rows[1:]]


def _pairs_of_json(path: Path, text: str) -> list[ImagePair]:
    try:
        entries: list[Any] = parse_json(text)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return [_pair(path, number, _images(entry)) for number, entry in enumerate(entries, start=1)]


def _images(entry: Any) -> list[Any]:
    return [entry.get("source_image"), entry.get("target_image")] if isinstance(entry, dict) else []


def _pair(path: Path, number: int, names: list[Any]) -> ImagePair:
    if len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise UserError(f"{path}: line or entry {number} is not a pair of images")
    return ImagePair(*(_key_at(path, number, name) for name in names))


def _key_at(path: Path, number: int, name: str) -> str:
    try:
        return image_key(name.strip())
    except UserError as error:
        raise UserError(f"{path}: line or entry {number}: {error}") from error


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, numbered from 1."""
    numbered = enumerate(_text(path).splitlines(), start=1)
    return ((number, line) for number, line in numbered if line.strip())


def _text(path: Path) -> str:
    try:
        return read_text(path, "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot read this list ({error})") from error
