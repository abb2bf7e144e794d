"""The command line on files as people have them: what it says, where, and how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from signgen.cli import main
from signgen.poses import read_poses

from .conftest import Cli

REPORTS = "real/public-reports"
# What can be read, by what kind of error it is where it cannot.
REFUSED = {
    "13:19:57.mp4": "a video holds no keypoints",
    "Screen recording 13:19:57.mp4": "a video holds no keypoints",
    "clip:1.mp4": "a video holds no keypoints",
    "clip.gif": "a video holds no keypoints",
    "corpus.mpg": "a video holds no keypoints",
    "corpus.wmv": "a video holds no keypoints",
    "corpus.ts": "a video holds no keypoints",
    "corpus.flv": "a video holds no keypoints",
    "webcam-jitter.webm": "a video holds no keypoints",
    "signer.avif": "not a pose file but an image",
    "signer.jfif": "not a pose file but an image",
    "no-suffix": "not a pose file but an image",
    "progressive.skels": ".skels of Progressive Transformers",
    "poses-torch-save.pt": "a file of torch.save",
}
READ = {
    "alphapose-133.json": {"frames": 4, "layout": "COCO-WholeBody"},
    "alphapose-17.json": {"frames": 4, "layout": "COCO body"},
    "appledouble-json": {"frames": 3, "empty_frames": 0},
    "controlnet-normalised.json": {"coordinates": "0..1", "size": [210, 260]},
    "dwpose-134.npy": {"layout": "COCO-WholeBody and a neck"},
    "dwpose-dict.pkl": {"frames": 1, "people": 1, "coordinates": "0..1"},
    "dwpose-dicts.pkl": {"frames": 2, "people": 1},
    "holistic-543-xyz.npy": {"coordinates": "0..1"},
    "mediapipe-landmarks.json": {"frames": 2, "layout": "MediaPipe Holistic"},
    "mmpose-inferencer-folder": {"frames": 4, "empty_frames": 1},
    "mmpose0-pose-results.json": {"frames": 3, "layout": "COCO-WholeBody"},
    "openpose-bom.json": {"frames": 1, "layout": "OpenPose BODY_25"},
    "openpose-gaps": {"frames": 6, "empty_frames": 2},
    "openpose-keypoint-scale-3": {"coordinates": "0..1"},
    "openpose-old-keys.json": {"layout": "OpenPose BODY_25", "empty_frames": 0},
    "openpose-two-people": {"people": 2, "frames": 6},
    "pose-nobody.pose": {"people": 0, "empty_frames": 8},
    "pose-normalised.pose": {"coordinates": "shoulders"},
    "pose-plain.pose": {"coordinates": "pixels"},
    "rtmlib-two-arrays.npz": {"frames": 4, "people": 1, "coordinates": "pixels"},
    "unisign-clip.pkl": {"frames": 4, "people": 1, "coordinates": "0..1"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """two.npz: two people, in 5 of 6 frames, in parts of an image whose size is not said."""
    rng = np.random.default_rng(0)
    one = np.concatenate([rng.uniform(0.05, 0.4, (1, 133, 2)).repeat(6, 0), np.full((6, 133, 1), 0.9)], -1)
    both = np.stack([one, one + np.array([0.5, 0, 0])], 1)
    both[2] = 0
    np.savez(tmp_path / "two.npz", keypoints=both)
    return tmp_path


def test_warnings_are_lines_on_stderr_and_json_stays_one_object(cli: Cli, folder: Path) -> None:
    run = cli("poses", "convert", folder / "two.npz", "-o", folder / "out.npz", "--pose-size", "200x100", "--json")
    assert run.status == 0
    assert json.loads(run.out)["frames"] == 6
    lines = run.err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"signgen: warning: {folder / 'two.npz'}: ") for line in lines)
    assert "normalised (0..1), not pixels; scaled to 200x100" in lines[0]
    assert "2 people (0 at x 45, 1 at x 145)" in lines[1]


@pytest.mark.parametrize(("person", "x"), [("0", 45), ("1", 145), ("left", 45), ("right", 145), ("140,50", 145)])
def test_the_person_is_chosen(cli: Cli, folder: Path, person: str, x: int) -> None:
    run = cli(
        *("poses", "convert", folder / "two.npz", "-o", folder / "out.npz", "--size", "200x100", "--person", person)
    )
    assert run.status == 0
    assert "people" not in run.err
    positions = read_poses(folder / "out.npz").positions[0, :, 0]
    assert (positions.min() + positions.max()) / 2 == pytest.approx(x, abs=1)


def test_info_says_how_many_there_are(cli: Cli, folder: Path) -> None:
    run = cli("poses", "info", folder / "two.npz")
    assert "normalised coordinates (0..1), 2 people (0 at 0.2" in run.out
    assert "1 without anyone" in run.out
    assert run.err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--person", "2", "--size", "9x9"], "there is no person 2: the 2 people are counted from 0"),
        (["--person", "front", "--size", "9x9"], "--person front: expected N, left, right, largest, or x,y"),
        ([], "its coordinates are normalised (0..1), and npz does not say how large the image was: give its size"),
    ],
)
def test_mistakes_end_in_one_line(cli: Cli, folder: Path, arguments: list[str], message: str) -> None:
    run = cli("poses", "convert", folder / "two.npz", "-o", folder / "out.npz", *arguments)
    assert (run.status, run.out) == (2, "")
    assert message in run.err.splitlines()[-1]
    assert not (folder / "out.npz").exists()


@pytest.mark.parametrize("name", [*READ, *REFUSED])
def test_public_reports(capsys: pytest.CaptureFixture[str], shared: Path, name: str) -> None:
    path = shared / REPORTS / name
    if not path.exists():
        pytest.skip(f"not there: {path}")
    status = main(["poses", "info", str(path), "--json"])
    out, err = capsys.readouterr()
    if name in REFUSED:
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert REFUSED[name] in err
    else:
        assert status == 0
        assert READ[name].items() <= json.loads(out).items()


def test_every_other_public_report_is_read_or_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], shared: Path
) -> None:
    folder = shared / REPORTS
    if not folder.is_dir():
        pytest.skip(f"not there: {folder}")
    for path in sorted(folder.iterdir()):
        status = main(["poses", "info", str(path)])
        _, err = capsys.readouterr()
        assert status in (0, 2), path.name
        assert status == 0 or err.count("\n") == 1 + err.count("warning"), path.name
