import json
import shutil
from pathlib import Path

import pytest

from tests.data.conftest import small_corpus  # noqa: F401 (a fixture)
from tests.pipelines.conftest import PIPELINES, Recipe

TINY = PIPELINES.parent / "configs" / "tiny"


def test_from_the_corpus_to_the_table_and_on_from_where_it_stopped(
    recipe: Recipe,
    small_corpus: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    given = [small_corpus, "--work", tmp_path, "--configs", TINY, "--split", "train", "--pairs", 9, "--clips", 2]
    given += ["--metrics", "ssim", "hand-ssim"]
    given += ["--set", "steps=1", "validation=[]", "data.preload=false", "diffusion:drop.pose=0.5"]
    out = recipe("phoenix14t.py", *given)
    assert [line.split()[0] for line in out.splitlines()[:5]] == [
        *("autoencoder", "fusion", "diffusion", "rendered", "rendered")
    ]
    header, *_, fpdm, ours = out[out.index("method") :].splitlines()
    assert header.split() == ["method", "ssim", "hand_ssim", "hand_pe", "fid"]
    assert fpdm.split() == ["FPDM-B6", "0.886", "0.6816", "21.43", "5.129"]
    assert ours.startswith("ours (2 clips)")
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["metrics"]["ssim"]["count"] == 6 + 9  # all frames of two clips, the first ones included
    assert len((tmp_path / "pairs.csv").read_text().splitlines()) == 10
    assert "pose: 0.5" in (tmp_path / "diffusion" / "config.yaml").read_text()

    shutil.rmtree(tmp_path / "rendered" / "alba_clip1")
    again = recipe("phoenix14t.py", *given)
    assert again.splitlines()[0] == "rendered 1/1 alba_clip1"
    assert again[again.index("method") :] == out[out.index("method") :]


def test_a_missing_corpus_is_one_line(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no such corpus folder"):
        recipe("phoenix14t.py", tmp_path / "nowhere", "--work", tmp_path)
