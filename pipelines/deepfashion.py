"""FPDM on DeepFashion In-shop, from the images to the paper's table with our row.

    python pipelines/deepfashion.py DEEPFASHION --work runs/fpdm/deepfashion \\
        --set fusion:pretrained_encoder=CLIP diffusion:pretrained_unet=SD diffusion:autoencoder=SD \\
              diffusion:pretrained_source_encoder=DINOV2

The published pairs, stage 1, stage 2 (with `--size 176x256` the fine-tuning at that size too), every test pair, scores,
table: each step goes on where it was stopped and is not repeated. `--configs configs/tiny` runs the same on a few
images in a minute or two.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from signgen.data import Corpus, Triple, open_corpus
from signgen.data.deepfashion import official_pairs
from signgen.data.packed_poses import PackedPoses, pack_poses
from signgen.data.pair_lists import write_pairs
from signgen.errors import one_line_errors
from signgen.evaluation import evaluate
from signgen.evaluation.benchmark_protocol import SHARED_NOISE
from signgen.evaluation.tables import table_with_ours
from signgen.io.atomic_files import atomic_folder, atomic_path
from signgen.models.pixels import to_frames
from signgen.models.pose_inputs import PoseInputs, pose_inputs
from signgen.poses import PoseSequence
from signgen.rendering.render_to_file import load_pipeline
from signgen.runtime.ranks import by_main_process
from signgen.sampling.noise import frame_noise
from signgen.systems.base import SignerPipeline
from signgen.systems.stages import of_stage, train_stage, train_stages
from signgen.video.image_arrays import resize_image

HOME = Path(__file__).resolve().parent.parent
SEED, BLOCK, BATCH = 7, 100, 10
Place = tuple[int, int]  # a clip and a frame in it
METRICS = ("ssim", "ssim-51", "psnr", "lpips-alex", "fid")
# The set of generated images against the test pairs' targets; that against the training images is not computed.
COLUMNS = {"fid_test": "fid", "lpips": "lpips-alex", "ssim": "ssim", "psnr": "psnr"}


class TestPairs:
    """The pairs of a split: source and target images uint8 (N, *size, 3) and the poses in both."""

    def __init__(self, corpus: Corpus, size: tuple[int, int]) -> None:
        self.corpus, self.size = corpus, size
        self.packed: PackedPoses = pack_poses(corpus, size)

    def images(self, places: Sequence[Place]) -> np.ndarray:
        frames = []
        for clip, frame in places:
            with self.corpus.reader(clip) as reader:
                frames.append(resize_image(reader[frame], self.size))
        return np.stack(frames)

    def poses(self, places: Sequence[Place]) -> PoseInputs:
        keypoints = np.stack([self.packed.frame(clip, frame) for clip, frame in places])
        return pose_inputs(PoseSequence(keypoints, self.size[::-1], 1.0, self.packed.skeleton), self.size)


def generate(
    pipeline: SignerPipeline, pairs: TestPairs, sources: Sequence[Place], targets: Sequence[Place], first: int
) -> np.ndarray:
    """Images uint8 (N, H, W, 3) of the sources in the targets' poses; `first` is the number of the first pair."""
    noise, generators = frame_noise(pipeline.noise_shape(pairs.size), SEED, range(first, first + len(sources)))
    images = pipeline.generate(
        pipeline.encode_source(pairs.images(sources), pairs.poses(sources)),
        pairs.poses(targets),
        noise.expand(len(sources), *noise.shape[1:]),
        size=pairs.size,
        generators=generators,
        **pipeline.sampling_options(),
    )
    return to_frames(images).cpu().numpy()


def render_pairs(model: Path, corpus: Corpus, triples: Sequence[Triple], work: Path, size: tuple[int, int]) -> None:
    """Every block of pairs that is not there yet: generated images in `rendered`, targets in `reference`, both of
    `size` (height, width)."""
    pipeline = load_pipeline(model, "auto", torch.float32)
    pairs, stored = TestPairs(corpus, tuple(pipeline.config.image_size)), TestPairs(corpus, size)
    for start in range(0, len(triples), BLOCK):
        name = f"{start:06}"
        if (work / "rendered" / name).is_dir():
            continue
        # The generated images are renamed last: where they are, their targets are.
        with atomic_folder(work / "rendered" / name) as ours, atomic_folder(work / "reference" / name) as theirs:
            for first in range(start, min(start + BLOCK, len(triples)), BATCH):
                batch = triples[first : min(first + BATCH, start + BLOCK)]
                sources = [(triple.clip, triple.source) for triple in batch]
                targets = [(triple.clip, triple.target) for triple in batch]
                generated, references = generate(pipeline, pairs, sources, targets, first), stored.images(targets)
                for number, (frame, target) in enumerate(zip(generated, references, strict=True), start=first):
                    Image.fromarray(resize_image(frame, size)).save(ours / f"{number:06}.png")
                    Image.fromarray(target).save(theirs / f"{number:06}.png")
        print(f"rendered {min(start + BLOCK, len(triples))}/{len(triples)} pairs", flush=True)


def training_data(arguments: argparse.Namespace, work: Path) -> list[str]:
    """The published pairs, written for the trainings to read; overrides that say so."""
    pairs = work / "pairs.csv"

    def prepare() -> None:
        if not pairs.exists():
            corpus = open_corpus(arguments.corpus, "train")
            write_pairs(pairs, corpus, official_pairs(Path(arguments.corpus), "train", corpus))

    by_main_process(prepare)
    return [f"data.roots=[{arguments.corpus}]", f"data.pairs={pairs}", "validation=[]", *arguments.set]


def train_all(arguments: argparse.Namespace, work: Path) -> Path:
    """The published pairs, both stages and, for 176x256, its fine-tuning; returns the model."""
    data = training_data(arguments, work)
    model = train_stages(arguments.configs, work, data)
    if arguments.size == "352x512":
        return model
    settings = of_stage("diffusion", data)
    small = [f"output={work / 'diffusion-176x256'}", f"fusion={work / 'fusion' / 'model'}", f"fine_tune={model}"]
    config = arguments.configs / "diffusion-176x256.yaml"
    return train_stage("diffusion", config, small + settings, name="diffusion-176x256")


def arguments_of(description: str | None, system: str) -> argparse.Namespace:
    """The command line of the recipe of a system."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", metavar="DEEPFASHION")
    parser.add_argument("--work", type=Path, default=Path("runs") / system / "deepfashion")
    parser.add_argument("--configs", type=Path, default=HOME / "configs" / system / "deepfashion")
    parser.add_argument("--size", choices=("352x512", "176x256"), default="352x512")
    parser.add_argument("--count", type=int, help="only so many test pairs")
    parser.add_argument("--metrics", nargs="*", default=METRICS)
    parser.add_argument("--set", nargs="*", default=[], metavar="[STAGE:]KEY=VALUE", help="settings of the trainings")
    return parser.parse_args()


def run(arguments: argparse.Namespace, train: Callable[[argparse.Namespace, Path], Path]) -> None:
    """Train, render the test pairs, score them, print the table."""
    with one_line_errors():
        test = open_corpus(arguments.corpus, "test")
        triples = official_pairs(Path(arguments.corpus), "test", test)[: arguments.count]
        model = train(arguments, arguments.work)
        by_main_process(lambda: score(arguments, model, test, triples))


def score(arguments: argparse.Namespace, model: Path, test: Corpus, triples: Sequence[Triple]) -> None:
    """Render the test pairs, score them, print the table."""
    output = arguments.work / f"test-{arguments.size}"
    width, height = map(int, arguments.size.split("x"))
    render_pairs(model, test, triples, output, (height, width))
    scores = evaluate(output / "rendered", output / "reference", metrics=arguments.metrics)
    with atomic_path(output / "scores.json") as unfinished:
        unfinished.write_text(json.dumps(scores.to_dict(), indent=2) + "\n")
    ours = {column: scores[name] for column, name in COLUMNS.items() if name in scores.scores}
    height_first = "x".join(reversed(arguments.size.split("x")))
    published = HOME / "benchmarks" / "published" / f"deepfashion_{height_first}.csv"
    print(table_with_ours(published, {f"ours ({len(triples)} pairs)": ours}), SHARED_NOISE, sep="\n")
    for name, reason in scores.unavailable.items():
        print(f"{name}: not computed: {reason}")


if __name__ == "__main__":
    run(arguments_of(__doc__, "fpdm"), train_all)
