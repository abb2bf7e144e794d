"""Counts what a corpus holds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from signgen.data.corpus import Clip, Corpus
from signgen.data.for_each_clip import for_each_clip


@dataclass(frozen=True)
class Summary:
    """Numbers about a corpus; the counters count clips."""

    clips: int
    with_poses: int
    frames: int
    seconds: float
    shortest: int
    median: float
    longest: int
    sizes: dict[str, int]
    fps: dict[str, int]
    speakers: dict[str, int]


@dataclass(frozen=True)
class _Shape:
    frames: int
    size: tuple[int, int]
    fps: float


def summarise(corpus: Corpus) -> Summary:
    """Opens every clip, decoding at most its first frame. Raises UserError if one cannot be opened."""
    shapes = for_each_clip(lambda clip: _shape(corpus[clip]), len(corpus), "Opening clips")
    lengths = [shape.frames for shape in shapes]
    return Summary(
        clips=len(corpus),
        with_poses=sum(clip.poses is not None for clip in corpus),
        frames=sum(lengths),
        seconds=round(sum(shape.frames / shape.fps for shape in shapes), 3),
        shortest=min(lengths),
        median=float(np.median(lengths)),
        longest=max(lengths),
        sizes=_counts(f"{shape.size[0]}x{shape.size[1]}" for shape in shapes),
        fps=_counts(f"{shape.fps:g}" for shape in shapes),
        speakers=_counts(clip.speaker for clip in corpus if clip.speaker),
    )


def _shape(clip: Clip) -> _Shape:
    with clip.open() as reader:
        return _Shape(len(reader), reader.size, reader.fps)


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
