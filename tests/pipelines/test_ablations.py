import json
from pathlib import Path

from signgen.systems.fpdm.presets import preset
from tests.pipelines.conftest import Recipe


def test_every_row_is_trained_scored_and_not_repeated(
    recipe: Recipe,
    small_corpus: Path,
    tmp_path: Path,
) -> None:
    preset("tiny").build_autoencoder().save_pretrained(tmp_path / "autoencoder")
    given = [small_corpus, "--work", tmp_path, "--split", "train", "--clips", 2, "--metrics", "ssim", "psnr"]
    given += [
        "--set",
        "model=tiny",
        "steps=1",
        "batch_size=2",
        "validation=[]",
        "data.preload=false",
        "data.workers=0",
        "precision=fp32",
        f"diffusion:autoencoder={tmp_path / 'autoencoder'}",
    ]
    out = recipe("ablations.py", *given)
    rows = [line.split()[1] for line in out.splitlines() if line.startswith("ours")]
    assert rows == ["A1", "A2", "A3", "B1", "B2", "B3", "B4", "B5", "B6"]
    assert json.loads((tmp_path / "a3.json").read_text())["average-rank"] >= 1
    results = {row: json.loads((tmp_path / f"{row}.json").read_text()) for row in ("b1", "b2", "b3", "b4", "b5", "b6")}
    assert all(result["ssim"] <= 1 and result["seconds"] > 0 for result in results.values())

    def config(row: str) -> str:
        return (tmp_path / row / "config.yaml").read_text()

    assert "source_encoder: clip" in config("b1")
    assert "embedding: none" in config("b1")
    assert "source_size: 104x128" in config("b2")
    assert "embedding: source" in config("b4")
    assert f"fusion: {tmp_path / 'a2' / 'model'}" in config("b5")
    assert f"fusion: {tmp_path / 'a3' / 'model'}" in config("b6")
    assert "objective: baseline" in config("a2")

    again = recipe("ablations.py", *given)
    assert again.splitlines()[0].startswith("method")
    assert [line for line in out.splitlines() if line.startswith("ours")] == [
        line for line in again.splitlines() if line.startswith("ours")
    ]
