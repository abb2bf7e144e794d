import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.cli import main


@pytest.fixture
def clips(tmp_path: Path) -> tuple[str, str]:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 4, 48, 64, 3), np.uint8)
    for name, clip in zip("gr", pictures, strict=True):
        (tmp_path / name).mkdir()
        for i, picture in enumerate(clip):
            Image.fromarray(picture).save(tmp_path / name / f"{i}.png")
    return str(tmp_path / "g"), str(tmp_path / "r")


def test_table(clips, capsys) -> None:
    assert main(["evaluate", *clips]) == 0
    out = capsys.readouterr().out
    assert "1 clip, 4 frames (all) of 64x48; resizing: none" in out
    assert "ssim ↑" in out
    assert "per frame: Gaussian window, sigma 1.5" in out
    assert "hand-ssim: not computed: it needs the reference's poses (--poses)" in out


def test_json_poses_and_rows(clips, tmp_path: Path, capsys) -> None:
    np.savez(tmp_path / "poses.npz", keypoints=np.full((4, 133, 3), 20.0))
    arguments = ["--poses", str(tmp_path / "poses.npz"), "--from", "1", "--per-clip", str(tmp_path / "a.csv")]
    assert main(["evaluate", *clips, *arguments, "--metrics", "ssim, hand-ssim", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: score["count"] for name, score in found["metrics"].items()} == {
        "ssim": 3,
        "hand-ssim": 6,
        "hands-present": 6,
    }
    assert (tmp_path / "a.csv").read_text().startswith("clip,frames,ssim,ssim-count,")


def test_errors_are_one_line(clips, tmp_path: Path, capsys) -> None:
    for arguments in (
        [clips[0], str(tmp_path / "none")],
        [*clips, "--metrics", "sim"],
        [*clips, "--poses", str(tmp_path / "none.npz")],
        [*clips, "--from", "4"],
    ):
        assert main(["evaluate", *arguments]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1


def test_report(clips, tmp_path: Path, capsys) -> None:
    page = tmp_path / "out.html"
    assert main(["evaluate", *clips, "--metrics", "ssim", "--report", str(page)]) == 0
    assert "<h1>g against r</h1>" in page.read_text()
    assert main(["evaluate", *clips, "--report", str(tmp_path / "out.pdf")]) == 2
    assert "give a name that ends in .html" in capsys.readouterr().err


def test_signers_and_resuming(clips, tmp_path: Path, capsys) -> None:
    table = tmp_path / "corpus.csv"
    table.write_text('name|video|speaker|orth\nr|r.mp4|Signer01|AN "OPEN QUOTE\nq|q.mp4|Signer02|B\n')
    arguments = ["evaluate", *clips, "--metrics", "ssim", "--speakers", str(table), "--resume", str(tmp_path / "rows")]
    for _ in range(2):
        assert main(arguments) == 0
        assert "Signer01: ssim 0." in capsys.readouterr().out
    (stored,) = (tmp_path / "rows").iterdir()
    assert len(stored.read_text().splitlines()) == 2
    table.write_text("name,gloss\nr,A\n")
    assert main(arguments) == 2
    assert "cannot read a table with columns name and speaker" in capsys.readouterr().err
