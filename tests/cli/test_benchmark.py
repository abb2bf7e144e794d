import csv
import json
from pathlib import Path

import pytest

from signgen.evaluation.tables import read_published
from tests.cli.conftest import Cli

REPOSITORY = Path(__file__).parents[2]
PUBLISHED = sorted((REPOSITORY / "benchmarks" / "published").glob("*.csv"))


def test_the_table_holds_the_papers_rows_and_ours(
    cli: Cli,
    small_corpus: Path,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(REPOSITORY)
    config = REPOSITORY / "configs" / "benchmark" / "phoenix14t.yaml"
    settings = [f"roots=[{small_corpus}]", "split=train", f"model={tiny_model}", f"output={tmp_path}", "steps=1"]
    settings += ["metrics=[ssim,hand-ssim]", "clips=1", "calibration=[ground truth]"]
    run = cli("benchmark", config, *settings)
    assert run.status == 0, run.err
    rows = {line[:12].strip(): line[12:].split() for line in run.out.splitlines()}
    assert rows["FPDM-B6"] == ["0.886", "0.6816", "21.43", "5.129"]
    assert rows["ground truth"] == ["1", "1", "-", "-"]
    assert "not as published: 6 frames, the paper has 64,627" in run.out
    assert "not as published: steps 1, the paper's is 20" in run.out
    as_json = json.loads(cli("benchmark", config, *settings, "--json").out)
    assert as_json["published"][-1]["method"] == "FPDM-B6"


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_tables_can_be_read_and_say_where_they_are_from(path: Path) -> None:
    rows = read_published(path)
    assert len(rows) == len(list(csv.reader(path.open()))) - 1
    assert all(row.method and "arXiv" in row.source for row in rows)
    assert len({tuple(row.values) for row in rows}) == 1


def test_errors_are_one_line(cli: Cli, tmp_path: Path) -> None:
    config = REPOSITORY / "configs" / "benchmark" / "synthetic-signers.yaml"
    for settings in (["roots=[]"], ["roots=[nowhere]"], ["step=3"], ["model=nothing"]):
        run = cli("benchmark", config, f"output={tmp_path}", *settings)
        assert (run.status, run.out, run.err.count("\n")) == (2, "", 1), run.err
