"""`signgen data` through the real command line."""

import json
from pathlib import Path

import numpy as np
import pytest

from signgen.video import VideoWriter

from .conftest import Cli


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two sound clips of four frames."""
    root = tmp_path / "corpus"
    for name in ("a", "b"):
        with VideoWriter(root / f"{name}.mp4", 25, (64, 80)) as writer:
            for _ in range(4):
                writer.write(np.zeros((80, 64, 3), np.uint8))
        np.save(root / f"{name}.npy", np.full((4, 133, 3), 0.5))
    return root


def test_info(cli: Cli, corpus: Path) -> None:
    run = cli("data", "info", corpus, "--json")
    assert run.status == 0
    summary = json.loads(run.out)
    assert (summary["clips"], summary["frames"], summary["sizes"]) == (2, 8, {"64x80": 2})
    assert "2, 2 with poses" in cli("data", "info", corpus).out


def test_check_of_a_sound_corpus(cli: Cli, corpus: Path) -> None:
    run = cli("data", "check", corpus)
    assert run.status == 0
    assert run.out == "2 clips, 0 problems in 0 of them\n"


def test_check_names_the_files_and_exits_with_2(cli: Cli, corpus: Path) -> None:
    np.save(corpus / "a.npy", np.full((3, 133, 3), 0.5))
    (corpus / "b.npy").unlink()
    run = cli("data", "check", corpus)
    assert run.status == 2
    assert f"{corpus / 'a.npy'}: 3 poses for 4 frames\n" in run.out
    assert f"{corpus / 'b.mp4'}: clip has no poses" in run.out
    as_json = cli("data", "check", corpus, "--json")
    assert as_json.status == 2
    assert [problem["clip"] for problem in json.loads(as_json.out)["problems"]] == ["a", "b"]


def test_pairs_are_reproducible(cli: Cli, corpus: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.csv", "again.csv", "other.csv")]
    for file, seed in zip(files, (1, 1, 2), strict=True):
        run = cli("data", "pairs", corpus, "-o", file, "--count", 30, "--seed", seed, "--json")
        assert json.loads(run.out)["pairs"] == 30
    one, again, other = (file.read_text() for file in files)
    assert one == again != other
    assert one.startswith("clip,source,target\n")


def test_pairs_of_the_test_protocol(cli: Cli, corpus: Path, tmp_path: Path) -> None:
    cli("data", "pairs", corpus, "-o", tmp_path / "test.csv", "--first-frame")
    rows = (tmp_path / "test.csv").read_text().splitlines()[1:]
    assert rows == [f"{clip},0,{target}" for clip in "ab" for target in range(4)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("info", "nowhere"),
        ("check", "{corpus}", "--layout", "other"),
        ("check", "{corpus}", "--split", "train"),
        ("pairs", "{corpus}"),
        ("pairs", "{corpus}", "-o", "{corpus}"),
        ("pairs", "{corpus}", "-o", "pairs.csv", "--count", "0"),
    ],
)
def test_what_the_user_can_mend(cli: Cli, corpus: Path, arguments: tuple[str, ...]) -> None:
    run = cli("data", *(argument.format(corpus=corpus) for argument in arguments))
    assert run.status == 2
    assert run.out == ""
    assert run.err.count("\n") == 1
