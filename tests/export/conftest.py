"""A labelled corpus of three speakers whose poses show a person, so that they can be fitted to another."""

from pathlib import Path

import numpy as np
import pytest

from signgen.export import ExportSettings, Gate, Variation
from tests.small_corpus import HEADER, HEIGHT, WIDTH, write_clip

CLIPS = {"ada_1": 5, "ada_2": 4, "bo_1": 6, "cy_1": 3}


def person(frames: int, seed: int) -> np.ndarray:
    """(frames, 133, 3): shoulders level, arms hanging, hands of straight fingers, moving slowly to the right."""
    rng = np.random.default_rng(seed)
    keypoints = np.zeros((frames, 133, 3), np.float32)
    keypoints[..., 2] = 1
    keypoints[:, :5, :2] = np.array([32, 18]) + rng.uniform(-3, 3, (5, 2))
    keypoints[:, 5:11, :2] = [(42, 30), (22, 30), (46, 45), (18, 45), (42, 58), (22, 58)]
    keypoints[:, 11:23, :2] = (32, 75)
    keypoints[:, 23:91, :2] = np.array([32, 18]) + rng.uniform(-4, 4, (68, 2))
    for start, wrist in ((91, (42, 58)), (112, (22, 58))):
        fingers = [(finger - 2, 3 + joint) for finger in range(5) for joint in range(4)]
        keypoints[:, start : start + 21, :2] = np.array(wrist) + np.array([(0, 0), *fingers])
    keypoints[..., 0] += 0.5 * np.arange(frames)[:, None] + seed
    return keypoints


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("labelled")
    (root / "keypoints").mkdir()
    np.savez(root / "keypoints" / "train.npz", **{n: person(f, seed) for seed, (n, f) in enumerate(CLIPS.items())})
    rows = [f"{name}|videos/train/{name}.mp4|-1|-1|{name.split('_')[0]}|A B|hello ä" for name in CLIPS]
    (root / "train.corpus.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    for seed, (name, frames) in enumerate(CLIPS.items()):
        write_clip(root / "videos" / "train" / f"{name}.mp4", frames, seed)
    assert (WIDTH, HEIGHT) == (64, 80)  # what the person's coordinates refer to
    return root


@pytest.fixture
def settings(corpus: Path, tiny_model: Path, tmp_path: Path) -> ExportSettings:
    """Four clips, one other signer each, plain and varied: eight clips."""
    varied = Variation("varied", mirror=True, tempo=0.3, rotation=5, scale=0.1, shift=0.1, noise=0.02, hand_noise=0.05)
    found = ExportSettings(
        output=str(tmp_path / "out"),
        roots=[str(corpus)],
        model=str(tiny_model),
        steps=1,
        variations=[Variation("plain"), varied],
        gate=Gate(estimator="none"),
    )
    found.signers.per_clip = 1
    return found
