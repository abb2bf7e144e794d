"""Training samples a second: signgen's PairDataset against a plain PIL + torch dataset that does the same work.

    python benchmarks/loading.py                        # a generated corpus of Phoenix-2014T's frame size
    python benchmarks/loading.py --corpus ../shared/data/synthetic-signers --split dev --size 512x512

Both make the same samples (source, target and drawn pose at --size), from MP4 and from folders of PNG, in turns of
the same run; the table gives the median turn. The last column is measured too: the share of its time that a training
loop of 10 steps a second at batch 8 waits for samples. `--memory-samples` then draws that many in this process and
watches its memory.
"""

import argparse
import ctypes
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import psutil
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader, Dataset

import signgen
from signgen.data import Clip, Corpus, PairDataset, draw_triple, open_corpus
from signgen.data.packed_poses import pack_poses
from signgen.data.pairs import sample_generator
from signgen.poses import draw_pose, read_poses
from signgen.video import VideoWriter
from signgen.video.files import EXACT

STEP_SECONDS, BATCH = 0.1, 8
ENDLESS = 10**8  # samples
FRAME_SIZE = (210, 260)
EXAMPLE_POSES = Path(signgen.__file__).parent / "assets" / "example" / "signer.npz"


class PlainDataset(Dataset):
    """What one writes first: open the file, decode up to the frame, resize, draw, make tensors."""

    def __init__(self, corpus: Corpus, size: tuple[int, int], length: int, seed: int) -> None:
        self.corpus, self.size, self.length, self.seed = corpus, size, length, seed
        self.poses = pack_poses(corpus, size)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, n: int) -> dict[str, torch.Tensor]:
        clip, source, target = draw_triple(self.poses.lengths, sample_generator(self.seed, n))
        load = plain_images if self.corpus[clip].frames.is_dir() else plain_video
        images = load(self.corpus[clip].frames, {source, target})
        height, width = self.size
        arrays = {
            "source": np.array(images[source].resize((width, height), Image.Resampling.BICUBIC)),
            "target": np.array(images[target].resize((width, height), Image.Resampling.BICUBIC)),
            "pose": draw_pose(self.poses.frame(clip, target), height, width),
        }
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def plain_images(folder: Path, wanted: set[int]) -> dict[int, Image.Image]:
    """The wanted images of a folder, by number in its sorted list."""
    paths = sorted(folder.iterdir())
    return {index: Image.open(paths[index]).convert("RGB") for index in wanted}


def plain_video(path: Path, wanted: set[int]) -> dict[int, Image.Image]:
    """The wanted frames of a video, decoded from its beginning."""
    frames = {}
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                exact = frame.reformat(format="rgb24", interpolation=EXACT, threads=1)
                frames[index] = Image.fromarray(exact.to_ndarray())
            if len(frames) == len(wanted):
                return frames
    raise IndexError(f"{path}: frames {wanted}")


def generated_corpus(root: Path, clips: int, frames: int) -> Corpus:
    """Clips of smooth moving colours with grain, whose files weigh about what Phoenix-2014T's do."""
    rng = np.random.default_rng(0)
    width, height = FRAME_SIZE
    poses = read_poses(EXAMPLE_POSES).scaled_to(FRAME_SIZE)
    for number in range(clips):
        coarse = rng.integers(0, 256, (9, 8, 3), dtype=np.uint8)
        image = np.array(Image.fromarray(coarse).resize((width * 2, height), Image.Resampling.BICUBIC))
        with VideoWriter(root / f"clip{number:03d}.mp4", 25, FRAME_SIZE) as writer:
            for shift in range(frames):
                grain = rng.integers(-4, 5, (height, width, 3))
                writer.write((image[:, shift : shift + width] + grain).clip(0, 255).astype(np.uint8))
        np.save(root / f"clip{number:03d}.npy", np.resize(poses.keypoints, (frames, 133, 3)))
    return open_corpus(root)


def as_images(corpus: Corpus, root: Path) -> Corpus:
    """The same corpus with a folder of PNG for each video."""
    clips = []
    for clip in corpus:
        folder = root / clip.name
        folder.mkdir()
        with clip.open() as reader:
            for number, frame in enumerate(reader):
                Image.fromarray(frame).save(folder / f"images{number + 1:04d}.png", compress_level=6)
        clips.append(Clip(clip.name, folder, clip.poses, clip.pose_name))
    return Corpus(tuple(clips))


def batches(dataset: Dataset, workers: int) -> Iterator[dict[str, torch.Tensor]]:
    """Batches as a training loop gets them."""
    return iter(DataLoader(dataset, BATCH, num_workers=workers))


def samples_per_second(dataset: Dataset, workers: int, seconds: float) -> float:
    """Batches taken as fast as they come, after a first one that starts the workers."""
    loader = batches(dataset, workers)
    next(loader)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        count += len(next(loader)["source"])
    return count / (time.perf_counter() - start)


def waiting_share(dataset: Dataset, workers: int, seconds: float) -> float:
    """Share of the time that a loop spends in `next`, when each of its steps takes STEP_SECONDS besides."""
    loader = batches(dataset, workers)
    next(loader)
    start, waited = time.perf_counter(), 0.0
    while time.perf_counter() - start < seconds:
        asked = time.perf_counter()
        next(loader)
        waited += time.perf_counter() - asked
        time.sleep(STEP_SECONDS)
    return waited / (time.perf_counter() - start)


def compare(datasets: dict[str, Dataset], workers: int, turns: int, seconds: float) -> list[dict]:
    """One row a dataset; they take turns, so that a busy machine is unfair to none."""
    rates: dict[str, list[float]] = {name: [] for name in datasets}
    waits: dict[str, list[float]] = {name: [] for name in datasets}
    for _ in range(turns):
        for name, dataset in datasets.items():
            rates[name].append(samples_per_second(dataset, workers, seconds))
            waits[name].append(waiting_share(dataset, workers, seconds))
    return [
        {"dataset": name, "workers": workers, "samples_per_second": round(statistics.median(rates[name]), 1),
         "waiting": round(statistics.median(waits[name]), 3)}
        for name in datasets
    ]  # fmt: skip


def check_same(plain: Dataset, own: Dataset) -> None:
    """Refuses to compare unless both make the same samples."""
    for n in range(4):
        for key, tensor in plain[n].items():
            if not torch.equal(tensor, own[n][key]):
                raise SystemExit(f"the samples differ in {key}: nothing to compare")


def memory_growth(dataset: Dataset, samples: int) -> dict[str, float]:
    """MB of this process after a tenth of the samples and after all, each sample being dropped."""
    start, marks = time.perf_counter(), []
    for n in range(samples):
        dataset[n]
        if n + 1 in (samples // 10, samples):
            marks.append(resident_megabytes())
    seconds = time.perf_counter() - start
    return {"samples": samples, "seconds": round(seconds, 1), "early_mb": round(marks[0]), "late_mb": round(marks[-1])}


def resident_megabytes() -> float:
    """Memory of this process. The C library gives back first what is free: decoders' buffers of all sizes leave
    gaps in its heap, which grows for a while without anything being kept."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)
    return psutil.Process().memory_info().rss / 1e6


def main() -> None:
    """Makes the corpora, measures, prints and writes."""
    arguments = parse_arguments()
    width, height = map(int, arguments.size.split("x"))
    size = (height, width)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        (generated := Path(folder) / "videos").mkdir()
        (images_folder := Path(folder) / "images").mkdir()
        if arguments.corpus:
            videos = open_corpus(arguments.corpus, arguments.split)[: arguments.clips]
        else:
            videos = generated_corpus(generated, arguments.clips, arguments.frames)
        images = as_images(videos, images_folder)
        datasets: dict[str, Dataset] = {
            "MP4, plain": PlainDataset(videos, size, ENDLESS, seed=0),
            "MP4, signgen": PairDataset(videos, size, ENDLESS, seed=0),
            "PNG, plain": PlainDataset(images, size, ENDLESS, seed=0),
            "PNG, signgen": PairDataset(images, size, ENDLESS, seed=0),
            "in memory, signgen": PairDataset(videos, size, ENDLESS, seed=0, preload=True),
        }
        for files in ("MP4", "PNG"):
            check_same(datasets[f"{files}, plain"], datasets[f"{files}, signgen"])
        rows = [
            row for workers in arguments.workers
            for row in compare(datasets, workers, arguments.turns, arguments.seconds)
        ]  # fmt: skip
        result = {"size": arguments.size, "batch": BATCH, "step_seconds": STEP_SECONDS, "rows": rows}
        if arguments.memory_samples:
            result["memory"] = memory_growth(datasets["MP4, signgen"], arguments.memory_samples)
    show(result)
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


def show(result: dict) -> None:
    """The rows as a table, then the memory."""
    table = Table("dataset", "workers", "samples/s", f"waiting at {1 / STEP_SECONDS:.0f} steps/s x {BATCH}")
    for row in result["rows"]:
        table.add_row(row["dataset"], str(row["workers"]), str(row["samples_per_second"]), f"{row['waiting']:.1%}")
    Console().print(table)
    if memory := result.get("memory"):
        print(f"memory over {memory['samples']} samples: {memory['early_mb']} MB after a tenth, "
              f"{memory['late_mb']} MB after all ({memory['seconds']} s)")  # fmt: skip


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpus", help="a corpus to use instead of a generated one")
    parser.add_argument("--split")
    parser.add_argument("--size", default="512x512", help="WIDTHxHEIGHT of the samples")
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--frames", type=int, default=116, help="per generated clip; Phoenix-2014T's mean is 116")
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 2])
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="per measurement")
    parser.add_argument("--memory-samples", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON to write")
    return parser.parse_args()


if __name__ == "__main__":
    main()
