import json
import shutil
from pathlib import Path

import pytest

from tests.pipelines.conftest import PIPELINES, Recipe

TINY = PIPELINES.parent / "configs" / "tiny"


def test_from_the_corpus_to_the_table_and_on_from_where_it_stopped(
    recipe: Recipe,
    small_corpus: Path,
    tmp_path: Path,
) -> None:
    given = [small_corpus, "--work", tmp_path, "--configs", TINY, "--pairs", 9]
    given += ["--set", "steps=1", "validation=[]", "data.preload=false", "diffusion:drop.pose=0.5"]
    given += ["--benchmark", "split=train", "clips=2", "steps=1", "metrics=[ssim,hand-ssim]"]
    given += ["calibration=[first frame copied]"]
    out = recipe("phoenix14t.py", *given)
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["autoencoder", "fusion", "diffusion"]
    header, *_, fpdm, copied, ours = out[out.index("method") :].split("\n\n")[0].splitlines()
    assert header.split() == ["method", "ssim", "hand_ssim", "hand_pe", "fid"]
    assert fpdm.split() == ["FPDM-B6", "0.886", "0.6816", "21.43", "5.129"]
    assert copied.startswith("first frame copied")
    assert ours.startswith("diffusion ")
    assert "not as published: split train, the paper's is test" in out
    rows = json.loads((tmp_path / "benchmark" / "benchmark.json").read_text())["rows"]
    assert rows["diffusion"]["metrics"]["ssim"]["count"] == 6 + 9  # all frames of two clips, the first ones included
    assert len((tmp_path / "pairs.csv").read_text().splitlines()) == 10
    assert "pose: 0.5" in (tmp_path / "diffusion" / "config.yaml").read_text()

    shutil.rmtree(tmp_path / "benchmark" / "rows" / "diffusion" / "alba_clip1")
    again = recipe("phoenix14t.py", *given)
    assert again.splitlines()[0].startswith("method")
    assert again == out[out.index("method") :]


def test_a_missing_corpus_is_one_line(recipe: Recipe, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stop:
        recipe("phoenix14t.py", tmp_path / "nowhere", "--work", tmp_path)
    assert stop.value.code == 2
    assert "no such corpus folder" in capsys.readouterr().err
