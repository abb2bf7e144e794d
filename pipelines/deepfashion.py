"""FPDM on DeepFashion In-shop, from the pictures to the paper's table with our row.

    python pipelines/deepfashion.py DEEPFASHION --work runs/fpdm/deepfashion \\
        --set fusion:pretrained_encoder=CLIP diffusion:pretrained_unet=SD diffusion:autoencoder=SD \\
              diffusion:pretrained_source_encoder=DINOV2

The published pairs, stage 1, stage 2 (with `--size 176x256` the fine-tuning at that size too), every test pair, scores,
table: each step goes on where it was stopped and is not repeated. `--configs configs/tiny` runs the same on a few
pictures in a minute or two.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from signgen.data import Corpus, Triple, open_corpus
from signgen.data.deepfashion import official_pairs
from signgen.data.frames import fit
from signgen.data.keypoints import PackedPoses, pack_poses
from signgen.data.pair_lists import write_pairs
from signgen.errors import UserError
from signgen.evaluation import evaluate
from signgen.evaluation.tables import table_with_ours
from signgen.files import atomic_folder, atomic_path
from signgen.fpdm import FPDMPipeline
from signgen.models.pixels import to_frames
from signgen.poses import draw_pose
from signgen.sampling.noise import frame_noise
from signgen.training.stages import train_stage, train_stages

HOME = Path(__file__).resolve().parent.parent
SEED, BLOCK, BATCH = 7, 100, 10
METRICS = ("ssim", "ssim-51", "psnr", "lpips-alex", "fid")
# The set of generated pictures against the test pairs' targets; that against the training pictures is not computed.
COLUMNS = {"fid_test": "fid", "lpips": "lpips-alex", "ssim": "ssim", "psnr": "psnr"}


class TestPairs:
    """The pairs of a split: source and target pictures, the target's pose drawn, all uint8 (N, *size, 3)."""

    def __init__(self, corpus: Corpus, size: tuple[int, int]) -> None:
        self.corpus, self.size = corpus, size
        self.poses: PackedPoses = pack_poses(corpus, size)

    def picture(self, clip: int, frame: int) -> np.ndarray:
        with self.corpus.reader(clip) as reader:
            return fit(reader[frame], self.size)

    def load(self, triples: Sequence[Triple]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        sources = [self.picture(triple.clip, triple.source) for triple in triples]
        targets = [self.picture(triple.clip, triple.target) for triple in triples]
        points = [self.poses.frame(triple.clip, triple.target) for triple in triples]
        drawings = [draw_pose(each, *self.size, self.poses.skeleton) for each in points]
        return np.stack(sources), np.stack(targets), np.stack(drawings)


def generate(pipeline: FPDMPipeline, sources: np.ndarray, drawings: np.ndarray, first: int) -> np.ndarray:
    """Pictures uint8 (N, H, W, 3) of the sources in the poses drawn; `first` is the number of the first pair."""
    size = tuple(pipeline.config.picture_size)
    noise, generators = frame_noise(pipeline.latent_shape(size), SEED, range(first, first + len(sources)))
    images = pipeline.generate(
        pipeline.encode_source(sources),
        drawings,
        noise.expand(len(sources), -1, -1, -1),
        size=size,
        generators=generators,
        **pipeline.sampling_options(),
    )
    return to_frames(images).cpu().numpy()


def render_pairs(model: Path, corpus: Corpus, triples: Sequence[Triple], work: Path) -> None:
    """Every block of pairs that is not there yet: generated pictures in `rendered`, targets in `reference`."""
    pipeline = FPDMPipeline.from_pretrained(model).to("cuda" if torch.cuda.is_available() else "cpu")
    pairs = TestPairs(corpus, tuple(pipeline.config.picture_size))
    for start in range(0, len(triples), BLOCK):
        name = f"{start:06}"
        if (work / "rendered" / name).is_dir():
            continue
        # The generated pictures are renamed last: where they are, their targets are.
        with atomic_folder(work / "rendered" / name) as ours, atomic_folder(work / "reference" / name) as theirs:
            for first in range(start, min(start + BLOCK, len(triples)), BATCH):
                sources, targets, drawings = pairs.load(triples[first : min(first + BATCH, start + BLOCK)])
                for number, frame in enumerate(generate(pipeline, sources, drawings, first), start=first):
                    Image.fromarray(frame).save(ours / f"{number:06}.png")
                    Image.fromarray(targets[number - first]).save(theirs / f"{number:06}.png")
        print(f"rendered {min(start + BLOCK, len(triples))}/{len(triples)} pairs", flush=True)


def train_all(arguments: argparse.Namespace, work: Path) -> Path:
    """The published pairs, both stages and, for 176x256, its fine-tuning; returns the model."""
    pairs = work / "pairs.csv"
    if not pairs.exists():
        corpus = open_corpus(arguments.corpus, "train")
        write_pairs(pairs, corpus, official_pairs(Path(arguments.corpus), "train", corpus))
    data = [f"data.roots=[{arguments.corpus}]", f"data.pairs={pairs}", "validation=[]", *arguments.set]
    model = train_stages(arguments.configs, work, data)
    if arguments.size == "352x512":
        return model
    settings = [setting.removeprefix("diffusion:") for setting in data if not setting.startswith("fusion:")]
    small = [f"output={work / 'diffusion-176x256'}", f"fusion={work / 'fusion' / 'model'}", f"fine_tune={model}"]
    config = arguments.configs / "diffusion-176x256.yaml"
    return train_stage("diffusion", config, small + settings, name="diffusion-176x256")


def main() -> None:
    """Parse the command line and run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", metavar="DEEPFASHION")
    parser.add_argument("--work", type=Path, default=Path("runs/fpdm/deepfashion"))
    parser.add_argument("--configs", type=Path, default=HOME / "configs" / "fpdm" / "deepfashion")
    parser.add_argument("--size", choices=("352x512", "176x256"), default="352x512")
    parser.add_argument("--count", type=int, help="only so many test pairs")
    parser.add_argument("--metrics", nargs="*", default=METRICS)
    parser.add_argument("--set", nargs="*", default=[], metavar="[STAGE:]KEY=VALUE", help="settings of the trainings")
    arguments = parser.parse_args()
    work: Path = arguments.work
    output = work / f"test-{arguments.size}"
    try:
        test = open_corpus(arguments.corpus, "test")
        triples = official_pairs(Path(arguments.corpus), "test", test)[: arguments.count]
        render_pairs(train_all(arguments, work), test, triples, output)
        scores = evaluate(output / "rendered", output / "reference", metrics=arguments.metrics)
    except UserError as error:
        sys.exit(f"{error}")
    with atomic_path(output / "scores.json") as unfinished:
        unfinished.write_text(json.dumps(scores.to_dict(), indent=2) + "\n")
    ours = {column: scores[name] for column, name in COLUMNS.items() if name in scores.scores}
    height_first = "x".join(reversed(arguments.size.split("x")))
    published = HOME / "benchmarks" / "published" / f"deepfashion_{height_first}.csv"
    print(table_with_ours(published, {f"ours ({len(triples)} pairs)": ours}))
    for name, reason in scores.unavailable.items():
        print(f"{name}: not computed: {reason}")


if __name__ == "__main__":
    main()
