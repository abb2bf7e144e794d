"""Does exported data help a sign classifier that has seen few signers?

    python benchmarks/augmentation.py ../shared/data/synthetic-signers --output out/augmentation

A small network, trained from nothing on pixels alone, names the handshape in an image of the right hand. Three
training sets: clips of few signers ("real"); these and their export by other signers of the train split, of whom the
export sees one image each ("real + exported"); and, as a ceiling, clips of these other signers in place of the
exported ones ("more real signers"). All get the same number of training steps, and the same random rotations, scales,
shifts and brightness. Two sets of signers test it, none of whom is in any training set: those of the dev split, whom
the embedded model has not seen either, and, more of them, the last of the train split, whom it was trained on.

A sample's label: a clip of n glosses is cut into n parts at the moments when the image moves most (differences of
frames), and the middle frame of part i shows gloss i. MIX (the hands differ) is left out. Keypoints say where to cut
out the hand, as any hand detector would, and nothing else. Prints a table, mean and standard deviation over seeds, and
writes it as JSON.
"""

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from signgen.cli.console import track
from signgen.data import Clip, Corpus, open_corpus
from signgen.errors import UserError
from signgen.export import ExportSettings, Gate, Signers, Variation, export_corpus
from signgen.metrics.hands import hand_patches, hand_present, patch_size

IGNORED = "MIX"
SCORES = ("top-1", "top-5")
FPS = 8.0  # of the export: the classifier looks at the moments that are still
BATCH = 64
RIGHT = 1  # of the two hands: the one that signs


def still_moments(frames: np.ndarray, count: int) -> list[float]:
    """The middle of each of `count` parts of uint8 (F, H, W, 3), as a share of the clip, from 0 to 1.

    Parts are cut where the image moves most, at least an eighth of the clip apart.
    """
    movement = np.abs(np.diff(frames[:, ::4, ::4].astype(np.int16), axis=0)).mean((1, 2, 3))
    apart, cuts = max(1, len(frames) // 8), []
    for index in np.argsort(-movement):
        if len(cuts) < count - 1 and all(abs(index - cut) >= apart for cut in [*cuts, -1, len(movement)]):
            cuts.append(int(index))
    edges = [0.0, *(cut + 0.5 for cut in sorted(cuts)), len(frames) - 1.0]
    return [(a + b) / 2 / (len(frames) - 1) for a, b in pairwise(edges)]


class Samples:
    """Images of right hands, and the numbers of their handshapes."""

    def __init__(self, classes: list[str]) -> None:
        self.classes = classes
        self._hands: list[Tensor] = []
        self._labels: list[int] = []

    def add(self, clip: Clip, moments: list[float]) -> None:
        """The frame of each gloss of a clip, where it shows the hand."""
        poses = clip.read_poses()
        with clip.open() as reader:
            for gloss, moment in zip(clip.gloss.split(), moments, strict=True):
                index = round(moment * (len(reader) - 1))
                if gloss != IGNORED:
                    hands = right_hands(reader.frames([index]), poses.keypoints[index : index + 1])
                    self._hands.append(hands)
                    self._labels += [self.classes.index(gloss)] * len(hands)

    def tensors(self) -> tuple[Tensor, Tensor]:
        """Hands float (N, 3, S, S) in [0, 1], labels int64 (N,)."""
        return torch.cat(self._hands).movedim(-1, 1).float() / 255, torch.tensor(self._labels)


def right_hands(frames: np.ndarray, keypoints: np.ndarray) -> Tensor:
    """uint8 (F, H, W, 3) and (F, 133, 3) -> uint8 (hands, S, S, 3), where the right hand is in the image."""
    points = torch.from_numpy(keypoints)
    height, width = frames.shape[1:3]
    present = hand_present(points, height, width)
    present[:, 1 - RIGHT] = False
    return hand_patches(torch.from_numpy(frames), points, present, patch_size(width))


def classifier(classes: int) -> nn.Module:
    """Images (B, 3, S, S) -> logits (B, classes)."""
    layers: list[nn.Module] = []
    for before, after in pairwise((3, 24, 48, 96, 128)):
        layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.LazyLinear(classes))


def randomly_moved(frames: Tensor, generator: torch.Generator) -> Tensor:
    """Each frame (B, 3, H, W) turned, scaled, shifted and brightened a little."""
    count = len(frames)
    angle, scale, x, y, gain = torch.rand(5, count, generator=generator) * 2 - 1
    angle, scale = angle * np.deg2rad(8), 1 + 0.15 * scale
    cosine, sine = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack([torch.stack([cosine, -sine, 0.1 * x]), torch.stack([sine, cosine, 0.1 * y])]).permute(2, 0, 1)
    grid = F.affine_grid(matrix, list(frames.shape), align_corners=False)
    moved = F.grid_sample(frames, grid, padding_mode="border", align_corners=False)
    return (moved * (1 + 0.2 * gain)[:, None, None, None]).clamp(0, 1)


def train(frames: Tensor, labels: Tensor, classes: int, steps: int, seed: int) -> nn.Module:
    """A classifier after `steps` batches, drawn with replacement; AdamW under one cycle."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = classifier(classes)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps)
    for _ in track(range(steps), steps, f"Training, seed {seed}", "steps"):
        chosen = torch.randint(len(frames), (BATCH,), generator=generator)
        logits = model(randomly_moved(frames[chosen], generator) - 0.5)
        optimizer.zero_grad()
        F.cross_entropy(logits, labels[chosen], label_smoothing=0.1).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.no_grad()
def scores(model: nn.Module, frames: Tensor, labels: Tensor) -> dict[str, float]:
    """Share of frames whose handshape is the first guess, or among the first five."""
    order = torch.cat([model(batch - 0.5) for batch in frames.split(64)]).argsort(1, descending=True)
    hits = order == labels[:, None]
    return {"top-1": hits[:, 0].double().mean().item(), "top-5": hits[:, :5].any(1).double().mean().item()}


def exported(corpus: str, speakers: list[str], others: list[str], arguments: argparse.Namespace) -> list[dict]:
    """The manifest of the few signers' clips by some of the others, one each."""
    settings = ExportSettings(
        output=str(arguments.output / "export"),
        roots=[corpus],
        speakers=speakers,
        signers=Signers(names=others, per_clip=arguments.per_clip),
        variations=[Variation("varied", rotation=3, scale=0.05, shift=0.1, noise=0.01)],
        gate=Gate(estimator="none"),
        fps=FPS,
        model=arguments.model,
        devices=["cpu"],
        formats=["phoenix"],
    )
    export_corpus(settings, lambda clips, total, what: track(clips, total, what, "clips"))
    lines = Path(settings.output, "manifest.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def moments_of(corpus: Corpus) -> dict[str, list[float]]:
    """Clip -> when each of its glosses is shown."""
    found = {}
    for clip in corpus:
        with clip.open() as reader:
            found[clip.name] = still_moments(np.stack(list(reader)), len(clip.gloss.split()))
    return found


def sample_sets(arguments: argparse.Namespace) -> tuple[dict[str, Samples], dict[str, Samples]]:
    """Training sets and test sets by name."""
    train_corpus, dev = open_corpus(arguments.corpus, "train"), open_corpus(arguments.corpus, "dev")
    speakers = list(dict.fromkeys(clip.speaker for clip in train_corpus))
    few, rest = speakers[: arguments.signers], speakers[arguments.signers : -arguments.held_out]
    others = rest[: arguments.signers * arguments.per_clip]
    classes = sorted({gloss for clip in train_corpus for gloss in clip.gloss.split()} - {IGNORED})
    rows = exported(arguments.corpus, few, others, arguments)
    real, more, held_out = (
        Corpus(tuple(clip for clip in train_corpus if clip.speaker in kept))
        for kept in (few, others, speakers[-arguments.held_out :])
    )
    moments = moments_of(real + more + held_out + dev)
    # The exported clips show their glosses when their sources do.
    moments |= {row["name"]: moments[row["source"]] for row in rows}
    generated = open_corpus(str(arguments.output / "export"), "train")
    train_sets = {"real": real, "real + exported": real + generated, "more real signers": real + more}
    test_sets = {"dev": dev, "held out": held_out}
    samples = {}
    for name, corpus in (train_sets | test_sets).items():
        samples[name] = Samples(classes)
        for clip in corpus:
            samples[name].add(clip, moments[clip.name])
    return {name: samples[name] for name in train_sets}, {name: samples[name] for name in test_sets}


def compare(arguments: argparse.Namespace) -> None:
    """Export, train, test, print and write."""
    train_sets, test_sets = sample_sets(arguments)
    tests = {name: samples.tensors() for name, samples in test_sets.items()}
    classes = len(next(iter(train_sets.values())).classes)
    table = Table("trained on", "hands", *(f"{name}, {score}" for name in tests for score in SCORES))
    record: dict[str, object] = {"arguments": {k: str(v) for k, v in vars(arguments).items()}, "chance": 1 / classes}
    record["test hands"] = {name: len(labels) for name, (_, labels) in tests.items()}
    for name, samples in train_sets.items():
        hands, labels = samples.tensors()
        found = []
        for seed in range(arguments.seeds):
            model = train(hands, labels, classes, arguments.steps, seed)
            found.append({test: scores(model, *tensors) for test, tensors in tests.items()})
        cells = [_mean([seed[test][score] for seed in found]) for test in tests for score in SCORES]
        table.add_row(name, str(len(labels)), *cells)
        record[name] = {"hands": len(labels), "seeds": found}
        (arguments.output / "augmentation.json").write_text(json.dumps(record, indent=2) + "\n")
    Console(width=120).print(table)
    print(f"{classes} handshapes; test hands: {record['test hands']}; {arguments.seeds} seeds, mean ± deviation")


def _mean(values: list[float]) -> str:
    spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
    return f"{np.mean(values):.3f} ± {spread:.3f}"


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", help="the synthetic signers")
    parser.add_argument("--output", type=Path, default=Path("out/augmentation"))
    parser.add_argument("--model", default="mini")
    parser.add_argument("--signers", type=int, default=24, help="the few")
    parser.add_argument("--per-clip", type=int, default=2, help="other signers for each of their clips")
    parser.add_argument("--held-out", type=int, default=60, help="signers of the train split that test")
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    try:
        compare(arguments)
    except UserError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
