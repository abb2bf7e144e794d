import json
import shutil
from pathlib import Path

import pytest

from tests.pipelines.conftest import PIPELINES, Recipe
from tests.pipelines.test_deepfashion import shop  # noqa: F401 (a fixture)

TINY = PIPELINES.parent / "configs" / "tiny"
LATENT = ("autoencoder", "pcdm-inpaint", "pcdm-refine")
STAGES = ["autoencoder", "fusion", "pcdm-prior", "pcdm-inpaint", "coarse", "pcdm-refine"]


def test_phoenix_from_the_corpus_to_the_table_and_on_from_where_it_stopped(
    recipe: Recipe,
    small_corpus: Path,
    tmp_path: Path,
) -> None:
    given = [small_corpus, "--work", tmp_path, "--configs", TINY, "--pairs", 5]
    given += ["--set", "steps=1", "batch_size=2", "validation=[]", "data.preload=false", "pcdm-inpaint:drop.source=0.5"]
    given += ["--benchmark", "split=train", "clips=2", "metrics=[ssim]", "calibration=[]"]
    out = recipe("pcdm_phoenix14t.py", *given)
    assert [line.split()[0] for line in out.splitlines()[:6]] == STAGES
    assert "coarse 5 images" in out
    assert out[out.index("method") :].split("\n\n")[0].splitlines()[-1].startswith("pcdm-refine ")
    assert "source: 0.5" in (tmp_path / "pcdm-inpaint" / "config.yaml").read_text()

    shutil.rmtree(tmp_path / "benchmark" / "rows" / "pcdm-refine" / "alba_clip1")
    again = recipe("pcdm_phoenix14t.py", *given)
    assert again.splitlines()[0].startswith("method")
    assert again == out[out.index("method") :]


def test_deepfashion_from_the_images_to_the_table(
    recipe: Recipe,
    shop: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    settings = ["steps=1", "batch_size=2", "image_size=56x64", "data.preload=false"]  # 18 points have no hands:
    settings += [f"{stage}:{region}=0" for stage in LATENT for region in ("hands", "face")]
    given = [shop, "--work", tmp_path / "work", "--configs", TINY, "--metrics", "ssim", "--size", "176x256"]
    out = recipe("pcdm_deepfashion.py", *given, "--set", *settings)
    assert [line.split()[0] for line in out.splitlines()[:7]] == [*STAGES, "rendered"]
    assert "ours (3 pairs)" in out
    scores = json.loads((tmp_path / "work" / "test-176x256" / "scores.json").read_text())["metrics"]
    assert scores["ssim"]["count"] == 3


@pytest.mark.slow
def test_the_comparison_gives_every_row_the_same_arithmetic_and_parameters(
    recipe: Recipe,
    small_corpus: Path,
    tmp_path: Path,
) -> None:
    given = [small_corpus, "--work", tmp_path, "--split", "train", "--clips", 1, "--pairs", 3, "--steps", 4]
    given += ["--metrics", "ssim", "flicker"]
    given += [
        "--set",
        "batch_size=1",
        "data.preload=false",
        "precision=fp32",
        "image_size=56x64",
        "source_size=64x64",
    ]
    out = recipe("comparison.py", *given)
    rows = [line for line in out.splitlines() if line.startswith(("FPDM", "PCDM"))]
    assert [row.split("  ")[0] for row in rows] == ["FPDM B6", "FPDM B3", "PCDM stage 2", "PCDM stages 2+3"]
    record = json.loads((tmp_path / "comparison.json").read_text())
    trained = {name: sum(each["trained"] for each in row["trainings"]) for name, row in record["rows"].items()}
    assert max(trained.values()) < 1.05 * min(trained.values())
    for row in record["rows"].values():
        spent = sum(training["tflop"] for training in row["trainings"])
        assert 0.6 < spent / record["budget_tflop"] < 1.4  # whole steps
    assert recipe("comparison.py", *given).splitlines()[-5:-1] == rows  # nothing is repeated

    oracle = recipe("comparison.py", *given, "--rows", "FPDM B6", "--best-of", 2)
    assert "FPDM B6 (best of 2 by SSIM with the ground truth)" in oracle
    best = json.loads((tmp_path / "comparison-best-of-2.json").read_text())["rows"]["FPDM B6"]
    assert best["ssim"] >= record["rows"]["FPDM B6"]["ssim"]
