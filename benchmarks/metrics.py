"""Speed and memory of the default metrics, against scikit-image doing SSIM alone on the same frames.

    python benchmarks/metrics.py [--frames 400] [--memory-frames 100 10000] [--output metrics.json]

Prints a table and writes JSON. Frames are random blobs of 210x260. The metrics take them from memory; `evaluate` reads
them from PNG files, with one process and with one for each core. Memory is the peak of a fresh process that evaluates
so many frames, in clips of 100 (the same files over and over, each time read anew), and of one of its worker processes.
"""

import argparse
import json
import math
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from torch import Tensor

from signgen.evaluation import ClipPair, Pairing, evaluate_pairs
from signgen.metrics import DEFAULT_METRICS, METRICS
from signgen.poses import PoseSequence

HEIGHT, WIDTH, CHUNK, CLIP = 260, 210, 19, 100


def chunks(frames: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Generated frames, reference frames and keypoints, the same few over and over."""
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (CHUNK, HEIGHT // 10, WIDTH // 10, 3), np.uint8)
    reference = small.repeat(10, 1).repeat(10, 2)
    generated = (reference // 8 * 7 + generator.integers(0, 32, reference.shape, np.uint8)).astype(np.uint8)
    keypoints = np.concatenate(
        [generator.uniform(60, 200, (CHUNK, 133, 2)), np.ones((CHUNK, 133, 1))], -1, dtype=np.float32
    )
    chunk = tuple(torch.from_numpy(array) for array in (generated, reference, keypoints))
    for start in range(0, frames, CHUNK):
        generated_part, reference_part, points = (tensor[: min(CHUNK, frames - start)] for tensor in chunk)
        yield generated_part, reference_part, points


def score(frames: int) -> None:
    """All default metrics."""
    metrics = [METRICS[name]() for name in DEFAULT_METRICS]
    for chunk in chunks(frames):
        for metric in metrics:
            metric.update(*chunk)


def score_one(name: str, frames: int) -> None:
    """One metric."""
    metric = METRICS[name]()
    for chunk in chunks(frames):
        metric.update(*chunk)


def scikit_image(frames: int) -> None:
    """SSIM alone, Gaussian window."""
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    for generated, reference, _ in chunks(frames):
        for a, b in zip(generated.numpy(), reference.numpy(), strict=True):
            structural_similarity(a, b, data_range=255, channel_axis=2, **options)


def rate(run: Callable[[int], None], frames: int) -> float:
    """Frames a second, after one chunk to warm up."""
    run(CHUNK)
    start = time.perf_counter()
    run(frames)
    return frames / (time.perf_counter() - start)


def write_clip(folder: Path) -> None:
    """A clip of CLIP frames: images of both sides, and the poses."""
    for side in ("generated", "reference"):
        (folder / side).mkdir()
    keypoints, count = [], 0
    for generated, reference, points in chunks(CLIP):
        for a, b in zip(generated.numpy(), reference.numpy(), strict=True):
            Image.fromarray(a).save(folder / "generated" / f"{count:04}.png")
            Image.fromarray(b).save(folder / "reference" / f"{count:04}.png")
            count += 1
        keypoints.append(points.numpy())
    np.save(folder / "poses.npy", np.concatenate(keypoints))


def evaluate(folder: Path, frames: int, workers: int = 1) -> tuple[float, float, float]:
    """Seconds, and the peaks in MiB of this process and of the largest of its worker processes (NaN: it has none)."""
    poses = PoseSequence(np.load(folder / "poses.npy"), (WIDTH, HEIGHT), 25.0, "coco-wholebody-133")
    names = [str(index) for index in range(-(-frames // CLIP))]
    pairs = [ClipPair(name, folder / "generated", folder / "reference") for name in names]
    start = time.perf_counter()
    evaluate_pairs(Pairing(pairs, [], []), dict.fromkeys(names, poses), workers=workers)
    seconds = time.perf_counter() - start
    own, largest = (
        resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return seconds, own, largest if workers > 1 else math.nan


def evaluate_afresh(folder: Path, frames: int, workers: int = 1) -> tuple[float, float, float]:
    """`evaluate` in a process of its own, whose peak is not that of what ran before."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:  # whose processes may have processes of their own
        return pool.submit(evaluate, folder, frames, workers).result()


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--memory-frames", type=int, nargs=2, default=(100, 10_000))
    parser.add_argument("--output", type=Path, default=Path("metrics.json"))
    options = parser.parse_args()

    speeds = {"scikit-image, SSIM alone": rate(scikit_image, options.frames)}
    for name in DEFAULT_METRICS:
        speeds[name] = rate(lambda frames, name=name: score_one(name, frames), options.frames)
    speeds["default set"] = rate(score, options.frames)
    memory: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        write_clip(Path(folder))
        for workers in sorted({1, torch.get_num_threads()}):
            for frames in options.memory_frames:
                seconds, own, largest = evaluate_afresh(Path(folder), frames, workers)
                memory[f"{frames} frames, {workers} at once"] = {"own": own} | (
                    {"worker": largest} if workers > 1 else {}
                )
            speeds[f"evaluate, {workers} at once"] = frames / seconds

    print(f"frames of {WIDTH}x{HEIGHT}, {torch.get_num_threads()} threads")
    for name, speed in speeds.items():
        print(f"{name:28}{speed:8.1f} frames/s")
    for case, peaks in memory.items():
        print(f"{case:28}" + ", ".join(f"{who} {peak:.0f} MiB" for who, peak in peaks.items()))
    result = {"threads": torch.get_num_threads(), "frames_per_second": speeds, "peak_mib": memory}
    options.output.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
