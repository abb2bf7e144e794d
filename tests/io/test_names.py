"""Names as people mean them."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from signgen.data.clip_folder import open_folder
from signgen.evaluation.pairing import find_clips, find_poses, pair_clips
from signgen.io.names import named, visible
from signgen.video import VideoWriter, open_video

NFC, NFD = (unicodedata.normalize(form, "grüßen_né") for form in ("NFC", "NFD"))


def video(path: Path) -> Path:
    with VideoWriter(path, 25, (16, 16)) as writer:
        writer.write(np.zeros((16, 16, 3), np.uint8))
    return path


def test_dot_files_are_not_seen(tmp_path: Path) -> None:
    for name in ("b", "a", "._a", ".DS_Store"):
        (tmp_path / name).touch()
    assert [path.name for path in visible(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(("own", "asked"), [(NFC, NFD), (NFD, NFC), (NFC, NFC), ("plain", "plain")])
def test_a_name_is_found_in_either_form(tmp_path: Path, own: str, asked: str) -> None:
    (tmp_path / own).touch()
    assert named(tmp_path, asked) == tmp_path / own
    assert named(tmp_path, "another") is None
    assert named(tmp_path / "no folder", NFC) is None


@pytest.mark.parametrize(("clip", "poses"), [(NFC, NFD), (NFD, NFC)])
def test_clips_and_poses_pair_and_hidden_files_are_neither(tmp_path: Path, clip: str, poses: str) -> None:
    video(tmp_path / f"{clip}.mp4")
    (tmp_path / f"._{clip}.mp4").write_bytes(b"\x00\x05\x16\x07")
    keypoints = np.full((1, 133, 3), 7.5, np.float32)
    np.savez(tmp_path / f"{poses}.npz", keypoints=keypoints, size=np.array([16, 16]))
    (only,) = open_folder(tmp_path, None)
    assert only.poses == tmp_path / f"{poses}.npz"
    assert list(find_clips(tmp_path)) == [NFC]
    (tmp_path / "poses").mkdir()
    (tmp_path / f"{poses}.npz").rename(tmp_path / "poses" / f"{poses}.npz")
    assert len(find_poses(tmp_path / "poses", NFC, size=(16, 16), fps=25, single=False)) == 1


def test_generated_and_reference_pair(tmp_path: Path) -> None:
    for folder, name in (("ours", NFC), ("theirs", NFD)):
        (tmp_path / folder / ".hidden").mkdir(parents=True)
        video(tmp_path / folder / f"{name}.mp4")
        (tmp_path / folder / f"._{name}.mp4").touch()
        video(tmp_path / folder / ".hidden" / "other.mp4")
    pairing = pair_clips(tmp_path / "ours", tmp_path / "theirs")
    assert [pair.name for pair in pairing.pairs] == [NFC]
    assert pairing.only_generated == pairing.only_reference == []


def test_hidden_files_are_no_frames(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("1.png", "2.png"):
        Image.new("RGB", (16, 16)).save(tmp_path / name)
        (tmp_path / f"._{name}").write_bytes(b"\x00\x05\x16\x07")
    with open_video(tmp_path) as frames:
        assert len(list(frames)) == 2
