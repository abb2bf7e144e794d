"""`signgen poses` on files of our own making."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pose_format import Pose

from signgen.poses import PoseSequence, read_poses, write_poses
from signgen.video import VideoWriter, open_video

from .conftest import Cli


@pytest.fixture
def poses() -> PoseSequence:
    """Six frames at 64x80: a hand's points on a slope that shakes; frame 2 lacks them."""
    keypoints = np.zeros((6, 133, 3), np.float32)
    keypoints[:, 91:112, 0] = np.linspace(10, 50, 21)
    keypoints[:, 91:112, 1] = 40 + 3 * (np.arange(6)[:, None] % 2)
    keypoints[:, 91:112, 2] = 1
    keypoints[2, 91:112] = 0
    return PoseSequence(keypoints, (64, 80), 12.5, "coco-wholebody-133")


@pytest.fixture
def pose_file(tmp_path: Path, poses: PoseSequence) -> Path:
    write_poses(poses, tmp_path / "in.pose")
    return tmp_path / "in.pose"


def test_info(cli: Cli, pose_file: Path) -> None:
    run = cli("poses", "info", pose_file, "--json")
    assert run.status == 0
    found = {"body": 0.0, "feet": 0.0, "face": 0.0, "left hand": 0.8333, "right hand": 0.0}
    assert json.loads(run.out) == {
        "path": str(pose_file),
        "format": ".pose 0.2",
        "layout": "COCO-WholeBody",
        "skeleton": "coco-wholebody-133",
        "frames": 6,
        "empty_frames": 1,
        "size": [64, 80],
        "fps": 12.5,
        "coordinates": "pixels",
        "inside": 1.0,
        "where": "x 10 to 50, y 40 to 43",
        "people": 1,
        "people_at": [[30.0, 43.0]],
        "found": found,
    }
    assert "6 frames 64x80, 12.5 fps, 1 without anyone\nfound: body 0%" in cli("poses", "info", pose_file).out


def test_info_lists_the_sequences_of_a_file_of_many(cli: Cli, tmp_path: Path, poses: PoseSequence) -> None:
    np.savez(tmp_path / "many.npz", **{f"clip{i}": poses.keypoints for i in range(30)})
    assert len(json.loads(cli("poses", "info", tmp_path / "many.npz", "--json").out)["sequences"]) == 30
    text = cli("poses", "info", tmp_path / "many.npz").out
    assert "30 sequences, one is selected by FILE::NAME" in text
    assert "6 frames of an image whose size the file does not say" in cli(
        "poses", "info", f"{tmp_path / 'many.npz'}::clip3"
    ).out  # fmt: skip


def test_info_knows_drawn_poses(cli: Cli, tmp_path: Path) -> None:
    Image.new("RGB", (30, 40)).save(tmp_path / "0.png")
    assert "drawn poses, 1 frame 30x40, no keypoints" in cli("poses", "info", tmp_path).out


def test_convert(cli: Cli, tmp_path: Path, pose_file: Path, poses: PoseSequence) -> None:
    assert cli("poses", "convert", pose_file, "-o", tmp_path / "out.npz").status == 0
    assert (read_poses(tmp_path / "out.npz").keypoints == poses.keypoints).all()
    run = cli("poses", "convert", pose_file, "-o", tmp_path / "out.pose", "--resample", 25, "--flip", "--json")
    assert json.loads(run.out)["frames"] == 12
    assert Pose.read((tmp_path / "out.pose").read_bytes()).body.data.shape == (12, 1, 133, 2)
    assert read_poses(tmp_path / "out.pose").present[0, 112:].all()
    assert cli("poses", "convert", pose_file, "-o", tmp_path / "json", "--skeleton", "openpose-18").status == 0
    assert read_poses(tmp_path / "json", size=(64, 80)).skeleton == "openpose-18"


def test_convert_needs_the_size_that_the_file_does_not_say(cli: Cli, tmp_path: Path, poses: PoseSequence) -> None:
    np.save(tmp_path / "in.npy", poses.keypoints)
    run = cli("poses", "convert", tmp_path / "in.npy", "-o", tmp_path / "out.pose")
    assert run.status == 2
    assert "does not say how large the image was: give its size" in run.err
    cli("poses", "convert", tmp_path / "in.npy", "-o", tmp_path / "out.pose", "--size", "64x80", "--fps", 50)
    assert (read_poses(tmp_path / "out.pose").size, read_poses(tmp_path / "out.pose").fps) == ((64, 80), 50)


@pytest.mark.parametrize("method", ["one-euro", "savitzky-golay"])
def test_smooth(cli: Cli, tmp_path: Path, pose_file: Path, poses: PoseSequence, method: str) -> None:
    assert cli("poses", "smooth", pose_file, "-o", tmp_path / "out.npz", "--method", method).status == 0
    smoothed = read_poses(tmp_path / "out.npz")
    assert smoothed.present[2, 91:112].all()
    steps = np.abs(np.diff(smoothed.positions[2:, 95, 1]))
    assert steps.mean() < 0.7 * 3  # the shaking of the input


def test_draw(cli: Cli, tmp_path: Path, pose_file: Path) -> None:
    assert cli("poses", "draw", pose_file, "-o", tmp_path / "black.mp4").status == 0
    with open_video(tmp_path / "black.mp4") as video:
        assert (len(video), video.size, video.fps) == (6, (64, 80), 12.5)
        assert video[0].max() > 100
        assert video[2].max() < 20


def test_draw_on_a_video(cli: Cli, tmp_path: Path, pose_file: Path) -> None:
    with VideoWriter(tmp_path / "grey.mp4", 12.5, (128, 160)) as writer:
        for _ in range(6):
            writer.write(np.full((160, 128, 3), 90, np.uint8))
    assert cli("poses", "draw", pose_file, "--on", tmp_path / "grey.mp4", "-o", tmp_path / "out.mp4").status == 0
    with open_video(tmp_path / "out.mp4") as video:
        assert video.size == (128, 160)
        assert abs(int(np.median(video[0])) - 90) < 4
        assert video[0].max() > 110
    run = cli("poses", "draw", pose_file, "--on", tmp_path / "black.mp4", "-o", tmp_path / "out2.mp4")
    assert run.status == 2
    assert not (tmp_path / "out2.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info", "none.pose"], "none.pose: cannot read poses (No such file or directory)"),
        (["convert", "in.pose", "-o", "out.txt"], "out.txt: poses are written to *.pose, *.npz, or a folder"),
        (["convert", "in.pose", "-o", "out.pose", "--size", "12"], "--size 12: expected WIDTHxHEIGHT"),
        (["draw", "in.pose", "-o", "out.avi"], "out.avi: the output is an MP4"),
        (["extract", "none.mp4", "-o", "out.pose"], "none.mp4: no such video"),
        (["extract", "none.mp4", "-o", "out.pose", "--person", "1,2"], "--person 1,2: expected X,Y,WIDTH,HEIGHT"),
    ],
)
def test_mistakes_are_one_line(
    cli: Cli, tmp_path: Path, pose_file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    run = cli("poses", *arguments)
    assert run.status == 2
    assert message in run.err
    assert run.err.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["in.pose"]
