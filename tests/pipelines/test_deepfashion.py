import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.poses import PoseSequence
from signgen.rendering.generator import render
from signgen.systems.fpdm.pipeline import FPDMPipeline
from tests.pipelines.conftest import PIPELINES, Recipe

TINY = PIPELINES.parent / "configs" / "tiny"
KEYS = [f"WOMEN/Tees_Tanks/id_00003470/{view}" for view in ("17_1_front", "17_3_back", "18_1_front", "18_4_full")]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two garments of two views each, in DeepFashion's folders, the same pairs to train and to test."""
    root, rng = tmp_path / "deepfashion", np.random.default_rng(0)
    for key in KEYS:
        for folder in ("img", "pose"):
            (root / folder / key).parent.mkdir(parents=True, exist_ok=True)
        image = rng.integers(0, 256, (110, 75, 3), dtype=np.uint8)
        Image.fromarray(image).save(root / "img" / f"{key}.jpg")
        points = rng.integers((45, 5), (210, 250), (18, 2))
        (root / "pose" / f"{key}.txt").write_text("\n".join(f"{x} {y}" for x, y in points))
    pairs = [(0, 1), (1, 0), (2, 3)]
    entries = [{"source_image": f"./img/{KEYS[a]}.jpg", "target_image": f"./img/{KEYS[b]}.jpg"} for a, b in pairs]
    for split in ("train", "test"):
        (root / f"{split}_pairs_data.json").write_text(json.dumps(entries))
    return root


def test_from_the_images_to_the_table_and_on_from_where_it_stopped(recipe: Recipe, shop: Path, tmp_path: Path) -> None:
    settings = ["steps=1", "image_size=56x64", "data.preload=false", "autoencoder:hands=0", "autoencoder:face=0"]
    settings += ["diffusion:hands=0", "diffusion:face=0"]  # 18 points have neither
    given = [shop, "--work", tmp_path / "work", "--configs", TINY, "--metrics", "ssim", "ssim-51", "--set", *settings]
    out = recipe("deepfashion.py", *given)
    assert [line.split()[0] for line in out.splitlines()[:4]] == ["autoencoder", "fusion", "diffusion", "rendered"]
    assert "ours (3 pairs)" in out
    test = tmp_path / "work" / "test-352x512"
    scores = json.loads((test / "scores.json").read_text())["metrics"]
    assert scores["ssim"]["count"] == 3
    target = np.asarray(Image.open(test / "reference" / "000000" / "000002.png"))
    assert target.shape == (512, 352, 3)
    before = (test / "rendered" / "000000" / "000001.png").read_bytes()

    pipeline = FPDMPipeline.from_pretrained(tmp_path / "work" / "diffusion" / "model")
    assert pipeline.config.skeleton == "openpose-18"
    poses = PoseSequence(np.ones((1, 133, 3), np.float32), (56, 64), 25.0, "coco-wholebody-133")
    assert next(render(pipeline, np.zeros((64, 56, 3), np.uint8), poses)).shape == (64, 56, 3)

    shutil.rmtree(test / "rendered" / "000000")
    again = recipe("deepfashion.py", *given)
    assert again.splitlines()[0] == "rendered 3/3 pairs"
    assert (test / "rendered" / "000000" / "000001.png").read_bytes() == before
    assert again[again.index("method") :] == out[out.index("method") :]
