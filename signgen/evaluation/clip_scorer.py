"""Scoring one clip: its frames are streamed through the metrics."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from signgen.errors import UserError
from signgen.evaluation.pairing import ClipPair
from signgen.evaluation.scores import ClipScores
from signgen.metrics import METRICS, NETWORKS, AveragedMetric, FeatureDistance, FrameMetric
from signgen.runtime.prefetch import read_ahead
from signgen.video import VideoReader, open_video

CHUNK_PIXELS = 1 << 20  # frames are scored in chunks of about this size: 19 frames of 210x260


@dataclass(frozen=True)
class Protocol:
    """What the metrics are given: frames from `start` on; generated frames resized (bicubic) or not."""

    start: int = 0
    resize: bool = False

    def in_words(self) -> dict[str, str]:
        frames = "all" if self.start == 0 else f"from frame {self.start} on, counted from 0"
        resized = "generated frames, bicubic, to the reference's size" if self.resize else "none"
        return {"frames": frames, "resizing": resized}


@dataclass(frozen=True)
class MetricFiles:
    """Files that metrics need or may be given.

    Attributes:
        weights: network (a value of `signgen.metrics.NETWORKS`) -> its weights, instead of a package's.
        fid_against: name -> a file of features, of frames that FID and KID compare with as well.
    """

    weights: Mapping[str, Path] = field(default_factory=dict)
    fid_against: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if unknown := set(self.weights) - set(NETWORKS.values()):
            raise UserError(
                f"no metric uses a network {min(unknown)!r}: there are {', '.join(sorted(set(NETWORKS.values())))}"
            )

    def make(self, name: str) -> FrameMetric:
        """The metric called `name`. UserError where it is not available."""
        given: dict[str, Any] = {}
        if NETWORKS.get(name) in self.weights:
            given["weights"] = self.weights[NETWORKS[name]]
        if self.fid_against and name.startswith("fid"):
            given["against"] = self.fid_against
        return METRICS[name](**given)


ALL_FRAMES, PACKAGED = Protocol(), MetricFiles()


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


class ClipScorer:
    """Metrics made ready, for one clip after the other.

    Attributes:
        metrics: name -> metric. unavailable: name -> why a metric cannot be computed.
    """

    def __init__(self, names: Sequence[str], poses: bool, protocol: Protocol, device: str, files: MetricFiles) -> None:
        """poses: whether key points will be given. Raises UserError for an unknown metric, and where none is left."""
        self.metrics, self.unavailable = make_metrics(names, poses, device, files)
        self.protocol = protocol
        self._recipe = (poses, protocol, device, files)

    @property
    def recipe(self) -> tuple[Any, ...]:
        """Arguments that make the same scorer in another process."""
        return (list(self.metrics), *self._recipe)

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
        device = next(iter(self.metrics.values())).device
        keypoints = None if task.keypoints is None else torch.from_numpy(task.keypoints)
        with open_video(task.pair.generated) as generated, open_video(task.pair.reference) as reference:
            scores = ClipScores(task.pair.name, 0, reference.size)
            for chunk in _chunks(generated, reference, self.protocol):
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
            metric = files.make(name).to(device)
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


def _chunks(generated: VideoReader, reference: VideoReader, protocol: Protocol) -> Iterator[tuple[Tensor, Tensor]]:
    """Consecutive frames of both, uint8 (F, H, W, 3), each side decoded in a thread of its own while others score."""
    width, height = reference.size
    length = max(1, CHUNK_PIXELS // (width * height))

    def chunks(reader: VideoReader) -> Iterator[Tensor]:
        frames = (resized(frame, reference.size) for frame in islice(reader, protocol.start, None))
        while chunk := list(islice(frames, length)):
            yield torch.from_numpy(np.stack(chunk))

    return zip(read_ahead(chunks(generated)), read_ahead(chunks(reference)), strict=True)


def resized(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A frame uint8 (H, W, 3) at `size` (width, height), bicubic."""
    if frame.shape[1::-1] == size:
        return frame
    return np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC))
