"""Lists of pairs as files, so that others can train and test with the same frames."""

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from signgen.data.corpus import Clip, Corpus
from signgen.data.for_each_clip import for_each_clip
from signgen.data.pairs import Triple, draw_triple, sample_generator
from signgen.errors import UserError
from signgen.io.atomic_files import atomic_path
from signgen.io.limits import read_text

COLUMNS = ("clip", "source", "target")
FRAME_NUMBER = re.compile("[0-9]{1,9}")


def clip_lengths(corpus: Corpus) -> np.ndarray:
    """The number of frames of each clip, int64 (clips,): from the corpus's tables, else its frames."""
    return np.array(for_each_clip(lambda clip: _length(corpus[clip]), len(corpus), "Counting frames"), np.int64)


def random_pairs(lengths: np.ndarray, count: int, seed: int) -> Iterator[Triple]:
    """The training protocol: the triples of PairDataset's samples 0 to `count` - 1 with this seed."""
    return (draw_triple(lengths, sample_generator(seed, n)) for n in range(count))


def first_frame_pairs(lengths: np.ndarray) -> Iterator[Triple]:
    """The test protocol: the first frame of each clip with every frame of it."""
    return (Triple(clip, 0, target) for clip, length in enumerate(lengths) for target in range(length))


def write_pairs(path: Path, corpus: Corpus, triples: Iterable[Triple]) -> int:
    """Writes `clip,source,target` as CSV, clips by name, frames from 0. Returns the number of pairs."""
    count = 0
    with atomic_path(path) as unfinished, unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip, source, target in triples:
            writer.writerow([corpus[clip].name, source, target])
            count += 1
    return count


def read_pair_list(path: Path, corpus: Corpus) -> list[Triple]:
    """Reads what `write_pairs` wrote. Raises UserError, naming file and line, for anything else."""
    try:
        rows = list(csv.reader(read_text(path).splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot read this list of pairs ({error})") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise UserError(f"{path}: not a list of pairs: its first line must be {','.join(COLUMNS)}")
    numbers = {clip.name: index for index, clip in enumerate(corpus)}
    lengths = clip_lengths(corpus)
    return [_triple(path, number, row, numbers, lengths) for number, row in enumerate(rows[1:], start=2)]


def _triple(path: Path, number: int, row: list[str], numbers: dict[str, int], lengths: np.ndarray) -> Triple:
    if len(row) != len(COLUMNS) or not all(FRAME_NUMBER.fullmatch(value) for value in row[1:]):
        raise UserError(f"{path}: line {number} is not `clip,source,target` with frames counted from 0")
    if row[0] not in numbers:
        raise UserError(f"{path}: line {number}: no clip {row[0]!r} in this corpus")
    triple = Triple(numbers[row[0]], int(row[1]), int(row[2]))
    if max(triple.source, triple.target) >= lengths[triple.clip]:
        raise UserError(f"{path}: line {number}: clip {row[0]} has {lengths[triple.clip]} frames only")
    return triple


def _length(clip: Clip) -> int:
    if clip.length is not None:
        return clip.length
    with clip.open() as reader:
        return len(reader)
