"""Speed and memory of the default metrics, against scikit-image doing SSIM alone on the same frames.

    python benchmarks/metrics.py [--frames 400] [--memory-frames 100 10000] [--output metrics.json]

Prints a table and writes JSON. Frames are random blobs of 210x260 in memory: decoding is not measured. Memory is the
peak of a fresh process that streams that many frames.
"""

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from skimage.metrics import structural_similarity
from torch import Tensor

from signgen.metrics import DEFAULT_METRICS, METRICS

HEIGHT, WIDTH, CHUNK = 260, 210, 19


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


def peak_memory(frames: int) -> float:
    """MiB at most, in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_score_and_measure, (frames,))


def _score_and_measure(frames: int) -> float:
    score(frames)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    memory = {frames: peak_memory(frames) for frames in options.memory_frames}

    print(f"frames of {WIDTH}x{HEIGHT}, {torch.get_num_threads()} threads")
    for name, speed in speeds.items():
        print(f"{name:28}{speed:8.1f} frames/s")
    for frames, peak in memory.items():
        print(f"{f'peak of {frames} frames':28}{peak:8.0f} MiB")
    result = {"threads": torch.get_num_threads(), "frames_per_second": speeds, "peak_mib": memory}
    options.output.write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
