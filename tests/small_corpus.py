"""A small corpus in the layout of the synthetic signers, made anew for each session."""

from pathlib import Path

import numpy as np
import pytest

from signgen.video import VideoWriter

CLIPS = {"alba_clip0": 6, "alba_clip1": 9, "bo_clip0": 5}
WIDTH, HEIGHT = 64, 80
HEADER = "name|video|start|end|speaker|orth|translation"


def make_keypoints(frames: int, seed: int) -> np.ndarray:
    """Random points in the image, one in ten missing; float16 (frames, 133, 3)."""
    rng = np.random.default_rng(seed)
    keypoints = rng.uniform((4, 4, 0.4), (WIDTH - 4, HEIGHT - 4, 1), size=(frames, 133, 3))
    keypoints[rng.random((frames, 133)) < 0.1] = 0
    return keypoints.astype(np.float16)


def write_clip(path: Path, frames: int, seed: int) -> None:
    """A video whose frame number can be told from its brightness, with a bright left edge."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, 25, (WIDTH, HEIGHT)) as writer:
        for number in range(frames):
            frame = np.full((HEIGHT, WIDTH, 3), 20 + 10 * number, dtype=np.uint8)
            frame[:, :16] = (200, 40 * (seed % 3), 60)
            writer.write(frame)


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("signers")
    (root / "keypoints").mkdir()
    keypoints = {name: make_keypoints(frames, seed) for seed, (name, frames) in enumerate(CLIPS.items())}
    np.savez(root / "keypoints" / "train.npz", **keypoints)
    rows = [f"{name}|videos/train/{name}.mp4|-1|-1|{name.split('_')[0]}|A B|" for name in CLIPS]
    (root / "train.corpus.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    for seed, (name, frames) in enumerate(CLIPS.items()):
        write_clip(root / "videos" / "train" / f"{name}.mp4", frames, seed)
    return root
