"""`evaluate`.

Pair clips, score them, add up. Memory does not grow with the number of clips.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import nullcontext
from itertools import tee
from pathlib import Path
from typing import Any

import numpy as np
import torch

from signgen import __version__
from signgen.errors import UserError
from signgen.evaluation.clip_scorer import ALL_FRAMES, ClipResult, ClipScorer, ClipTask, Protocol
from signgen.evaluation.metric_files import PACKAGED, MetricFiles
from signgen.evaluation.pairing import ClipPair, Pairing, Poses, find_poses, pair_clips
from signgen.evaluation.scores import ClipScores, Evaluation, Score, pool
from signgen.evaluation.stored_scores import StoredRows
from signgen.io.atomic_files import locked_folder
from signgen.metrics import DEFAULT_METRICS, AveragedMetric, FrameMetric
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.runtime.progress import Progress, silent
from signgen.runtime.worker_pool import AHEAD, in_order, processes
from signgen.video import VideoReader, open_video

CLIPS_PER_PROCESS = 8  # fewer are scored sooner than a process is ready

_scorer: ClipScorer  # of a process among several


def evaluate(
    generated: Path | str,
    reference: Path | str,
    poses: Poses | None = None,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    start: int = 0,
    resize: bool = False,
    device: str = "cpu",
    progress: Progress = silent,
    files: MetricFiles = PACKAGED,
) -> Evaluation:
    """Score generated clips against reference clips.

    Args:
        generated, reference: a video, a folder of images, or trees of these, paired by name.
        poses: the reference's, in COCO-WholeBody points: a file, a folder of files, or a mapping from clip
            names. metrics: names out of `METRICS`. start: the first frame that counts; 1 leaves out the frame
            that was given as source. resize: bring generated frames to the reference's size; otherwise other
            sizes are not scored. device: where the metrics compute. progress: wraps the clips as they are
            scored, given their number. files: of the metrics.

    Clips that cannot be scored, and metrics that cannot be computed, are listed in the result with the
    reason. Raises UserError where no clip can be scored or a name is unknown.
    """
    pairing = pair_clips(Path(generated), Path(reference))
    protocol = Protocol(start, resize)
    return evaluate_pairs(pairing, poses, protocol, metrics=metrics, device=device, progress=progress, files=files)


def evaluate_pairs(
    pairing: Pairing,
    poses: Poses | None = None,
    protocol: Protocol = ALL_FRAMES,
    *,
    metrics: Sequence[str] = DEFAULT_METRICS,
    device: str = "cpu",
    workers: int = 1,
    progress: Progress = silent,
    rows: Path | None = None,
    speakers: Mapping[str, str] | None = None,
    files: MetricFiles = PACKAGED,
) -> Evaluation:
    """As `evaluate`, for clips whose pairing is known.

    rows: a folder that keeps clips' scores, from which an interrupted evaluation goes on (metrics of whole sets, such
    as FID, see all clips again). speakers: clip -> signer, for totals of each. workers: processes that score, of one
    thread each, or only what the CPU does of it, where device is another; 1: this one, with all of torch's threads.
    More need a script whose main module can be imported.
    """
    scorer = ClipScorer(metrics, poses is not None, protocol, device, files)
    clips, unscored = [], {}
    with nullcontext() if rows is None else locked_folder(rows):
        stored = None if rows is None else StoredRows(rows, _settings(scorer, files))
        tasks = (_task(pair, poses, scorer, stored, len(pairing.pairs) == 1) for pair in pairing.pairs)
        for result in progress(_results(scorer, tasks, workers), len(pairing.pairs), "Scoring"):
            pair = result.task.pair
            if result.scores is None:
                unscored[pair.name] = result.problem
                continue
            if stored and result.task.known is None:
                stored.add(pair, result.task.keypoints, result.scores)
            for name, chunks in result.features.items():
                metric = scorer.of_sets[name]
                for chunk in chunks:
                    metric.observe(*(torch.from_numpy(features).to(metric.device) for features in chunk))
            clips.append(result.scores)
    if not clips:
        raise UserError(next(iter(unscored.values())))
    chosen = list(scorer.metrics.values())
    return Evaluation(
        protocol=protocol.in_words() | {"sizes": sorted({"{}x{}".format(*clip.size) for clip in clips})},
        quantities={quantity.name: quantity for metric in chosen for quantity in metric.quantities},
        scores=total_scores(chosen, clips),
        clips=clips,
        unavailable=scorer.unavailable,
        unscored=unscored,
        only_generated=pairing.only_generated,
        only_reference=pairing.only_reference,
        speakers=dict(speakers or {}),
    )


def default_workers(clips: int) -> int:
    """A process for each core that torch may use, where the clips are worth starting them."""
    return max(1, min(torch.get_num_threads(), clips // CLIPS_PER_PROCESS))


def _results(scorer: ClipScorer, tasks: Iterable[ClipTask], workers: int) -> Iterator[ClipResult]:
    """What comes of tasks, in their order.

    Several processes compute on the CPU: all metrics, or, where this one has another device, those whose work is the
    CPU's, while this one does the others.
    """
    if workers < 2:
        yield from map(scorer.score, tasks)
    elif not scorer.elsewhere:
        yield from _shared_out(scorer, tasks, workers)
    elif on_cpu := scorer.on_cpu():
        here, there = tee(tasks)
        others = map(scorer.without(on_cpu).score, here)
        for result, other in zip(_shared_out(on_cpu, there, workers), others, strict=True):
            yield other.joined(result)
    else:
        yield from map(scorer.score, tasks)


def _shared_out(scorer: ClipScorer, tasks: Iterable[ClipTask], workers: int) -> Iterator[ClipResult]:
    with processes(workers, 1, _start, *scorer.recipe) as pool:

        def submit(task: ClipTask) -> "Future[ClipResult]":
            if scorer.has_work(task):
                return pool.submit(_score, task)
            done: Future[ClipResult] = Future()
            done.set_result(scorer.score(task))
            return done

        yield from in_order(submit, tasks, (1 + AHEAD) * workers)


def _start(*recipe: Any) -> None:
    global _scorer
    _scorer = ClipScorer(*recipe)


def _score(task: ClipTask) -> ClipResult:
    return _scorer.score(task)


def _settings(scorer: ClipScorer, files: MetricFiles) -> dict[str, Any]:
    """What clips' scores depend on beside the clips."""
    quantities = {each.name: each.protocol for metric in scorer.averaged for each in metric.quantities}
    weights = {network: str(path.resolve()) for network, path in files.weights.items()}
    settings = {"signgen": __version__, "protocol": scorer.protocol.in_words(), "quantities": quantities}
    return settings | ({"weights": weights} if weights else {})


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


def _task(pair: ClipPair, poses: Poses | None, scorer: ClipScorer, stored: StoredRows | None, single: bool) -> ClipTask:
    """What is to be done about a pair."""
    try:
        keypoints = _checked_keypoints(pair, poses, scorer.protocol, single)
        known = stored.get(pair, keypoints) if stored else None
    except UserError as error:
        return ClipTask(pair, problem=str(error))
    return ClipTask(pair, keypoints, known)


def _checked_keypoints(pair: ClipPair, poses: Poses | None, protocol: Protocol, single: bool) -> np.ndarray | None:
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
        return sequence.keypoints[protocol.start :]


def _check_pair(pair: ClipPair, generated: VideoReader, reference: VideoReader, protocol: Protocol) -> None:
    if len(generated) != len(reference):
        raise UserError(f"{pair.name}: {len(generated)} generated frames, {len(reference)} reference frames")
    if len(reference) <= protocol.start:
        raise UserError(f"{pair.name}: none of its {len(reference)} frames is left from frame {protocol.start} on")
    if generated.size != reference.size and not protocol.resize:
        ours, theirs = ("{}x{}".format(*video.size) for video in (generated, reference))
        raise UserError(f"{pair.name}: generated frames are {ours}, reference frames {theirs}; --resize resizes them")
