"""Scoring one clip: its frames are streamed through the metrics."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.evaluation.metric_files import MetricFiles
from signgen.evaluation.pairing import ClipPair
from signgen.evaluation.scores import ClipScores
from signgen.metrics import METRICS, AveragedMetric, FeatureDistance, FrameMetric
from signgen.runtime.prefetch import read_ahead
from signgen.video import VideoReader, open_video
from signgen.video.image_arrays import resize_image

# Frames are scored in chunks of about this size: 19 frames of 210x260, which stay in a processor's caches, and 153 on
# other devices, which are quick where there is much to do at a time.
CHUNK_PIXELS, DEVICE_CHUNK_PIXELS = 1 << 20, 1 << 23


@dataclass(frozen=True)
class Protocol:
    """What the metrics are given: frames from `start` on; generated frames resized (bicubic) or not."""

    start: int = 0
    resize: bool = False

    def in_words(self) -> dict[str, str]:
        frames = "all" if self.start == 0 else f"from frame {self.start} on, counted from 0"
        resized = "generated frames, bicubic, to the reference's size" if self.resize else "none"
        return {"frames": frames, "resizing": resized}


ALL_FRAMES = Protocol()


@dataclass(frozen=True)
class ClipTask:
    """A clip to be scored.

    Attributes:
        keypoints: of the frames that count, float32 (F, 133, 3), where poses were given.
        known: its scores, where they are stored already.
        problem: why it cannot be scored, if so.
    """

    pair: ClipPair
    keypoints: np.ndarray | None = None
    known: ClipScores | None = None
    problem: str = ""


# Chunk by chunk the features (N, D) of a clip's generated and of its reference frames.
Features = list[tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class ClipResult:
    """What came of a task: scores, or the reason why there are none.

    features: of each metric of whole sets.
    """

    task: ClipTask
    scores: ClipScores | None
    problem: str = ""
    features: Mapping[str, Features] = field(default_factory=dict)

    def joined(self, other: "ClipResult") -> "ClipResult":
        """The same clip's scores by other metrics beside these."""
        if self.scores is None or other.scores is None:
            return self if self.scores is None else other
        totals, counts = (getattr(self.scores, kind) | getattr(other.scores, kind) for kind in ("totals", "counts"))
        return replace(self, scores=replace(self.scores, totals=totals, counts=counts))


class ClipScorer:
    """Metrics made ready, for one clip after the other.

    Attributes:
        metrics: name -> metric. unavailable: name -> why a metric cannot be computed.
    """

    def __init__(self, names: Sequence[str], poses: bool, protocol: Protocol, device: str, files: MetricFiles) -> None:
        """poses: whether keypoints will be given. Raises UserError for an unknown metric, and where none is left."""
        self.metrics, self.unavailable = make_metrics(names, poses, device, files)
        self.protocol, self.device = protocol, torch.device(device)
        self._recipe = (poses, protocol, device, files)

    @property
    def recipe(self) -> tuple[Any, ...]:
        """Arguments that make the same scorer in another process."""
        return (list(self.metrics), *self._recipe)

    @property
    def elsewhere(self) -> bool:
        """Whether metrics compute on another device than the CPU."""
        return self.device.type != "cpu"

    def on_cpu(self) -> "ClipScorer | None":
        """A scorer of those metrics alone whose work is the CPU's though this one's device is another; None where there
        are none."""
        names = [name for name, metric in self.metrics.items() if metric.on_cpu]
        if not (self.elsewhere and names):
            return None
        poses, protocol, _, files = self._recipe
        return ClipScorer(names, poses, protocol, "cpu", files)

    def without(self, other: "ClipScorer") -> "ClipScorer":
        """This scorer without the other's metrics."""
        rest = copy(self)
        rest.metrics = {name: metric for name, metric in self.metrics.items() if name not in other.metrics}
        return rest

    @property
    def averaged(self) -> list[AveragedMetric]:
        return [metric for metric in self.metrics.values() if isinstance(metric, AveragedMetric)]

    @property
    def of_sets(self) -> dict[str, FeatureDistance]:
        return {name: metric for name, metric in self.metrics.items() if isinstance(metric, FeatureDistance)}

    def has_work(self, task: ClipTask) -> bool:
        """Whether a task's frames must be read."""
        return not task.problem and (task.known is None or bool(self.of_sets))

    def score(self, task: ClipTask) -> ClipResult:
        """Do a task. A clip that cannot be read comes back with the reason."""
        if not self.has_work(task):
            return ClipResult(task, task.known, task.problem)
        averaged = self.averaged if task.known is None else []
        features: dict[str, Features] = {name: [] for name in self.of_sets}
        for metric in averaged:
            metric.reset()
        try:
            scores = self._stream(task, averaged, features)
        except UserError as error:
            return ClipResult(task, None, str(error))
        finally:
            for each in self.metrics.values():
                each.new_clip()
        for metric in averaged:
            for quantity, total, count in zip(metric.quantities, metric.total, metric.count, strict=True):
                scores.totals[quantity.name], scores.counts[quantity.name] = float(total), int(count)
        return ClipResult(task, task.known or scores, features=features)

    def _stream(
        self, task: ClipTask, averaged: Sequence[AveragedMetric], features: Mapping[str, Features]
    ) -> ClipScores:
        device = self.device
        keypoints = None if task.keypoints is None else torch.from_numpy(task.keypoints)
        with open_video(task.pair.generated) as generated, open_video(task.pair.reference) as reference:
            scores = ClipScores(task.pair.name, 0, reference.size)
            pixels = DEVICE_CHUNK_PIXELS if self.elsewhere else CHUNK_PIXELS
            for chunk in _chunks(generated, reference, self.protocol, pixels):
                ours, theirs = (frames.to(device) for frames in chunk)
                points = None
                if keypoints is not None:
                    points = keypoints[scores.frames : scores.frames + len(ours)].to(device)
                for metric in averaged:
                    metric.update(ours, theirs, points)
                for name, kept in features.items():
                    of_generated, of_reference = self.of_sets[name].describe(ours, theirs)
                    kept.append((of_generated.cpu().numpy(), of_reference.cpu().numpy()))
                scores.frames += len(ours)
        return scores


def make_metrics(
    names: Sequence[str], poses: bool, device: str, files: MetricFiles
) -> tuple[dict[str, FrameMetric], dict[str, str]]:
    """The metrics, and for those that cannot be computed the reason. UserError for an unknown name."""
    chosen: dict[str, FrameMetric] = {}
    unavailable = {}
    for name in dict.fromkeys(names):
        if name not in METRICS:
            near = get_close_matches(name, METRICS, n=1) or list(METRICS)
            raise UserError(f"unknown metric {name!r}; did you mean {', '.join(near)}?")
        try:
            metric = files.make(name, device)
        except UserError as error:
            unavailable[name] = str(error)
            continue
        if metric.needs_keypoints and not poses:
            unavailable[name] = "it needs the reference's poses (--poses)"
        else:
            chosen[name] = metric
    if not chosen:
        raise UserError(f"nothing to compute: {'; '.join(f'{n}: {why}' for n, why in unavailable.items())}")
    return chosen, unavailable


def _chunks(
    generated: VideoReader, reference: VideoReader, protocol: Protocol, pixels: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Consecutive frames of both, uint8 (F, H, W, 3), each side decoded in a thread of its own while others score."""
    width, height = reference.size
    length = max(1, pixels // (width * height))

    def chunks(reader: VideoReader) -> Iterator[Tensor]:
        frames = (resize_image(frame, reference.size[::-1]) for frame in islice(reader, protocol.start, None))
        while chunk := list(islice(frames, length)):
            yield torch.from_numpy(np.stack(chunk))

    return zip(read_ahead(chunks(generated)), read_ahead(chunks(reference)), strict=True)
