"""`evaluate`.

Pair clips, stream their frames through the metrics, add up. Memory does not grow with the frames.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from signgen import __version__
from signgen.errors import UserError
from signgen.evaluation.pairing import ClipPair, Pairing, Poses, find_poses, pair_clips
from signgen.evaluation.rows import StoredRows
from signgen.evaluation.scores import ClipScores, Evaluation, Score, pool
from signgen.metrics import DEFAULT_METRICS, METRICS, NETWORKS, AveragedMetric, FrameMetric
from signgen.overlap import read_ahead
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.video import VideoReader, open_video

CHUNK_PIXELS = 1 << 20  # frames are scored in chunks of about this size: 19 frames of 210x260
Progress = Callable[[Iterable[ClipPair], int], Iterable[ClipPair]]


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


def evaluate(
    generated: Path | str,
    reference: Path | str,
    poses: Poses | None = None,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    start: int = 0,
    resize: bool = False,
    device: str = "cpu",
    progress: Progress = lambda pairs, total: pairs,
    files: MetricFiles = MetricFiles(),
) -> Evaluation:
    """Score generated clips against reference clips.

    Args:
        generated, reference: a video, a folder of pictures, or trees of these, paired by name.
        poses: the reference's, in COCO-WholeBody points: a file, a folder of files, or a mapping from clip
            names. metrics: names out of `METRICS`. start: the first frame that counts; 1 leaves out the frame
            that was given as source. resize: bring generated frames to the reference's size; otherwise other
            sizes are not scored. device: where the metrics compute. progress: wraps the iteration over pairs,
            given their number. files: of the metrics.

    Clips that cannot be scored, and metrics that cannot be computed, are listed in the result with the
    reason. Raises UserError where no clip can be scored or a name is unknown.
    """
    pairing = pair_clips(Path(generated), Path(reference))
    protocol = Protocol(start, resize)
    return evaluate_pairs(pairing, poses, protocol, metrics=metrics, device=device, progress=progress, files=files)


def evaluate_pairs(
    pairing: Pairing,
    poses: Poses | None = None,
    protocol: Protocol = Protocol(),
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    device: str = "cpu",
    progress: Progress = lambda pairs, total: pairs,
    rows: Path | None = None,
    speakers: Mapping[str, str] | None = None,
    files: MetricFiles = MetricFiles(),
) -> Evaluation:
    """As `evaluate`, for clips whose pairing is known.

    rows: a folder that keeps clips' scores, from which an interrupted evaluation goes on (metrics of whole sets, such
    as FID, see all clips again). speakers: clip -> signer, for totals of each.
    """
    chosen, unavailable = make_metrics(metrics, poses is not None, device, files)
    averaged = [metric for metric in chosen if isinstance(metric, AveragedMetric)]
    stored = None if rows is None else StoredRows(rows, _settings(averaged, protocol, files))
    single = len(pairing.pairs) == 1
    clips, unscored = [], {}
    for pair in progress(pairing.pairs, len(pairing.pairs)):
        try:
            keypoints = _checked_keypoints(pair, poses, protocol, single)
        except UserError as error:
            unscored[pair.name] = str(error)
            continue
        scores = stored.get(pair, keypoints) if stored else None
        missing = chosen if scores is None else [each for each in chosen if not isinstance(each, AveragedMetric)]
        if missing:
            fresh = score_clip(pair, keypoints, missing, protocol)
            scores = scores or _store(stored, pair, keypoints, fresh)
        assert scores is not None  # either stored or fresh
        clips.append(scores)
    if not clips:
        raise UserError(next(iter(unscored.values())))
    quantities = {quantity.name: quantity for metric in chosen for quantity in metric.quantities}
    return Evaluation(
        protocol=protocol.in_words() | {"sizes": sorted({"{}x{}".format(*clip.size) for clip in clips})},
        quantities=quantities,
        scores=total_scores(chosen, clips),
        clips=clips,
        unavailable=unavailable,
        unscored=unscored,
        only_generated=pairing.only_generated,
        only_reference=pairing.only_reference,
        speakers=dict(speakers or {}),
    )


def _settings(metrics: Sequence[AveragedMetric], protocol: Protocol, files: MetricFiles) -> dict[str, Any]:
    """What clips' scores depend on beside the clips."""
    quantities = {each.name: each.protocol for metric in metrics for each in metric.quantities}
    weights = {network: str(path.resolve()) for network, path in files.weights.items()}
    settings = {"signgen": __version__, "protocol": protocol.in_words(), "quantities": quantities}
    return settings | ({"weights": weights} if weights else {})


def _store(stored: StoredRows | None, pair: ClipPair, keypoints: Tensor | None, scores: ClipScores) -> ClipScores:
    if stored:
        stored.add(pair, keypoints, scores)
    return scores


def make_metrics(
    names: Sequence[str], poses: bool, device: str, files: MetricFiles
) -> tuple[list[FrameMetric], dict[str, str]]:
    """The metrics, and for those that cannot be computed the reason. UserError for an unknown name."""
    chosen, unavailable = [], {}
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
            chosen.append(metric)
    if not chosen:
        raise UserError(f"nothing to compute: {'; '.join(f'{n}: {why}' for n, why in unavailable.items())}")
    return chosen, unavailable


def score_clip(
    pair: ClipPair, keypoints: Tensor | None, metrics: Sequence[FrameMetric], protocol: Protocol
) -> ClipScores:
    """Stream one pair of clips through the metrics. UserError where a frame cannot be read."""
    averaged = [metric for metric in metrics if isinstance(metric, AveragedMetric)]
    for metric in averaged:
        metric.reset()
    try:
        scores = _stream(pair, keypoints, metrics, protocol)
    finally:
        for each in metrics:
            each.new_clip()
    for metric in averaged:
        for quantity, total, count in zip(metric.quantities, metric.total, metric.count, strict=True):
            scores.totals[quantity.name], scores.counts[quantity.name] = float(total), int(count)
    return scores


def _stream(pair: ClipPair, keypoints: Tensor | None, metrics: Sequence[FrameMetric], protocol: Protocol) -> ClipScores:
    device = metrics[0].device
    with open_video(pair.generated) as generated, open_video(pair.reference) as reference:
        scores = ClipScores(pair.name, 0, reference.size)
        for ours, theirs in _chunks(generated, reference, protocol):
            points = None
            if keypoints is not None:
                points = keypoints[scores.frames : scores.frames + len(ours)].to(device)
            for metric in metrics:
                metric.update(ours.to(device), theirs.to(device), points)
            scores.frames += len(ours)
    return scores


def total_scores(metrics: Sequence[FrameMetric], clips: list[ClipScores]) -> dict[str, Score]:
    """The scores over all clips: pooled from the clips' rows, or, for metrics of whole sets, their own result."""
    scores: dict[str, Score] = {}
    for metric in metrics:
        if isinstance(metric, AveragedMetric):
            scores |= {quantity.name: pool(clips, quantity.name) for quantity in metric.quantities}
        else:
            frames = sum(clip.frames for clip in clips)
            scores |= {name: Score(float(value), frames) for name, value in metric.compute().items()}
    return scores


def _checked_keypoints(pair: ClipPair, poses: Poses | None, protocol: Protocol, single: bool) -> Tensor | None:
    """The keypoints of the frames that count, (F, 133, 3); UserError where the pair cannot be scored."""
    with open_video(pair.generated) as generated, open_video(pair.reference) as reference:
        _check_pair(pair, generated, reference, protocol)
        if poses is None:
            return None
        sequence = find_poses(poses, pair.name, size=reference.size, fps=reference.fps, single=single)
        if len(sequence) != len(reference):
            raise UserError(f"{pair.name}: {len(sequence)} poses for {len(reference)} frames")
        if sequence.skeleton != COCO_WHOLEBODY:
            raise UserError(f"{pair.name}: the poses have no hands; COCO-WholeBody points are needed")
        return torch.from_numpy(sequence.keypoints[protocol.start :])


def _check_pair(pair: ClipPair, generated: VideoReader, reference: VideoReader, protocol: Protocol) -> None:
    if len(generated) != len(reference):
        raise UserError(f"{pair.name}: {len(generated)} generated frames, {len(reference)} reference frames")
    if len(reference) <= protocol.start:
        raise UserError(f"{pair.name}: none of its {len(reference)} frames is left from frame {protocol.start} on")
    if generated.size != reference.size and not protocol.resize:
        ours, theirs = ("{}x{}".format(*video.size) for video in (generated, reference))
        raise UserError(f"{pair.name}: generated frames are {ours}, reference frames {theirs}; --resize resizes them")


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
