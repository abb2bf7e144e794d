"""What an evaluation found.

Totals with confidence intervals, one row per clip, and what was left out and why.
"""

import csv
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from signgen.io.atomic_files import atomic_path
from signgen.metrics.frame_metric import Quantity

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Score:
    """A value over all clips.

    The mean of `count` frames, hands, ...; `low` and `high` bound it (NaN: unknown).
    """

    value: float
    count: int
    low: float = math.nan
    high: float = math.nan


@dataclass
class ClipScores:
    """One clip: for each quantity the sum of its values and how many they are."""

    name: str
    frames: int
    size: tuple[int, int]
    totals: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def value(self, quantity: str) -> float:
        """The clip's mean, NaN where nothing was counted."""
        return self.totals[quantity] / self.counts[quantity] if self.counts[quantity] else math.nan


@dataclass
class Evaluation:
    """The result of `evaluate`.

    Attributes:
        protocol: what was compared and how, in words: frames, resizing.
        quantities: name -> what it is, in the order asked for.
        scores: name -> value over all clips.
        clips: one row per scored clip.
        unavailable: metric -> why it could not be computed.
        unscored: clip -> why it could not be scored.
        only_generated, only_reference: clips without a partner.
        speakers: clip -> signer, where known.
    """

    protocol: dict[str, Any]
    quantities: dict[str, Quantity]
    scores: dict[str, Score]
    clips: list[ClipScores]
    unavailable: dict[str, str]
    unscored: dict[str, str]
    only_generated: list[str]
    only_reference: list[str]
    speakers: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, quantity: str) -> float:
        """The value over all clips."""
        return self.scores[quantity].value

    @property
    def tabled(self) -> dict[str, Quantity]:
        """The quantities of a table that people read: all but details."""
        return {name: quantity for name, quantity in self.quantities.items() if not quantity.detail}

    def by_speaker(self) -> dict[str, dict[str, Score]]:
        """Signer -> the values over their clips, of numbers that clips have; empty where no signer is known."""
        groups: dict[str, list[ClipScores]] = {}
        for clip in self.clips:
            if speaker := self.speakers.get(clip.name):
                groups.setdefault(speaker, []).append(clip)
        names = list(self.clips[0].totals)
        return {speaker: {name: pool(groups[speaker], name) for name in names} for speaker in sorted(groups)}

    def to_dict(self) -> dict[str, Any]:
        """Everything, fit for JSON: NaN becomes None, infinity "Infinity"."""
        metrics = {
            name: _interval(score)
            | {
                "per": self.quantities[name].per,
                "unit": self.quantities[name].unit,
                "better": self.quantities[name].better,
                "protocol": self.quantities[name].protocol,
            }
            for name, score in self.scores.items()
        }
        speakers = {
            speaker: {name: _interval(score) for name, score in scores.items()}
            for speaker, scores in self.by_speaker().items()
        }
        clips = [
            {"name": clip.name, "frames": clip.frames} | {name: _number(clip.value(name)) for name in clip.totals}
            for clip in self.clips
        ]
        left_out = {
            "unavailable": self.unavailable,
            "unscored": self.unscored,
            "only_generated": self.only_generated,
            "only_reference": self.only_reference,
        }
        return {"protocol": self.protocol, "metrics": metrics, "speakers": speakers, "clips": clips} | left_out

    def write_csv(self, path: Path) -> None:
        """One row per clip.

        Its name, frames, and for each quantity its mean and how many values that is of.
        """
        names = list(self.clips[0].totals)
        header = ["clip", "frames"] + [column for name in names for column in (name, f"{name}-count")]
        with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for clip in self.clips:
                values = [column for name in names for column in (clip.value(name), clip.counts[name])]
                writer.writerow([clip.name, clip.frames, *values])


def pool(clips: list[ClipScores], quantity: str) -> Score:
    """The mean over everything counted in all clips, and its 95 % interval by resampling clips.

    Frames of a clip resemble each other; clips are what varies, so clips are what is resampled. NaN bounds
    for a single clip.
    """
    totals = np.array([clip.totals[quantity] for clip in clips])
    counts = np.array([clip.counts[quantity] for clip in clips])
    if not counts.sum():
        return Score(math.nan, 0)
    value = float(totals.sum() / counts.sum())
    if len(clips) < 2 or not math.isfinite(value):
        return Score(value, int(counts.sum()))
    generator = np.random.default_rng(0)
    sums = np.empty((RESAMPLES, 2))
    for i in range(RESAMPLES):
        chosen = generator.integers(len(clips), size=len(clips))
        sums[i] = totals[chosen].sum(), counts[chosen].sum()
    sums = sums[sums[:, 1] > 0]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(sums[:, 0] / sums[:, 1], [tail, 1 - tail])
    return Score(value, int(counts.sum()), float(low), float(high))


def _interval(score: Score) -> dict[str, Any]:
    low, high = _number(score.low), _number(score.high)
    return {"value": _number(score.value), "low": low, "high": high, "count": score.count}


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"
