"""What `check_corpus` finds, and what it leaves alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.data import open_corpus
from signgen.data.corpus_check import check_corpus
from signgen.data.corpus_summary import summarise
from signgen.errors import UserError
from tests.small_corpus import CLIPS, HEADER, HEIGHT, WIDTH, make_keypoints, write_clip


@pytest.fixture
def root(small_corpus: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(small_corpus, tmp_path / "corpus"))


def messages(root: Path, split: str | None = "train", decode: bool = True) -> list[tuple[str, str, str]]:
    problems = check_corpus(open_corpus(root, split), decode)
    return [(problem.clip, problem.file.name, problem.message) for problem in problems]


def test_a_sound_corpus_has_no_problems(root: Path) -> None:
    assert messages(root) == []


def test_missing_and_broken_videos(root: Path) -> None:
    videos = root / "videos" / "train"
    (videos / "alba_clip0.mp4").unlink()
    (videos / "bo_clip0.mp4").write_bytes(b"no video")
    (first, *_), (second, *_) = found = messages(root)
    assert (first, second) == ("alba_clip0", "bo_clip0")
    assert [file for _, file, _ in found] == ["alba_clip0.mp4", "bo_clip0.mp4"]


def test_counts_sizes_and_poses_that_do_not_match(root: Path) -> None:
    rng = np.random.default_rng(0)
    outside = make_keypoints(9, 0)
    outside[..., :2] = rng.uniform(1000, 1100, size=outside[..., :2].shape)
    keypoints = {"alba_clip0": make_keypoints(7, 0), "alba_clip1": outside, "bo_clip0": np.zeros((5, 133, 3))}
    np.savez(root / "keypoints" / "train.npz", **keypoints)
    found = messages(root)
    assert found == [
        ("alba_clip0", "train.npz", "7 poses for 6 frames"),
        (
            "alba_clip1",
            "train.npz",
            f"most points lie outside the {WIDTH}x{HEIGHT} image; are they in its pixels?",
        ),
        ("bo_clip0", "train.npz", "5 of 5 poses have no point at all"),
    ]


def test_poses_that_are_not_there(root: Path) -> None:
    np.savez(
        root / "keypoints" / "train.npz",
        **{name: make_keypoints(n, 0) for name, n in CLIPS.items() if n != 9},
    )
    ((clip, file, message),) = messages(root)
    assert (clip, file) == ("alba_clip1", "train.npz")
    assert "alba_clip1" in message


def test_the_odd_size_out(tmp_path: Path) -> None:
    for index, size in enumerate([(64, 80), (64, 80), (80, 64)]):
        folder = tmp_path / f"clip{index}"
        folder.mkdir()
        Image.new("RGB", size).save(folder / "1.png")
        np.save(tmp_path / f"clip{index}.npy", np.full((1, 133, 3), 0.5))
    assert messages(tmp_path, None) == [("clip2", "clip2", "frames of 80x64, but 2 clips have 64x80")]


def test_every_broken_image_is_named_unless_quick(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(5):
        Image.new("RGB", (64, 80)).save(tmp_path / "a" / f"{number}.png")
    for number in (1, 3):
        (tmp_path / "a" / f"{number}.png").write_bytes(b"broken")
    np.save(tmp_path / "a.npy", np.full((5, 133, 3), 0.5))
    found = [message for _, _, message in messages(tmp_path, None)]
    assert [message.split(":")[0] for message in found] == ["frame 1", "frame 3"]
    assert all(f"{number}.png" in message for number, message in zip((1, 3), found, strict=True))
    assert messages(tmp_path, None, decode=False) == []


def test_frames_against_the_table(tmp_path: Path) -> None:
    (tmp_path / "PHOENIX-2014-T.test.corpus.csv").write_text(f"{HEADER}\na|a|-1|-1|s|o|t\n")
    write_clip(tmp_path / "videos" / "a.mp4", 4, 0)
    corpus = open_corpus(tmp_path, "test")
    told = type(corpus)((type(corpus[0])(name="a", frames=corpus[0].frames, length=5),))
    counts, no_poses = (problem.message for problem in check_corpus(told))
    assert counts == "4 frames, but the corpus's table says 5"
    assert "no poses" in no_poses


def test_summary(root: Path) -> None:
    summary = summarise(open_corpus(root, "train"))
    assert (summary.clips, summary.with_poses, summary.frames) == (3, 3, 20)
    assert summary.seconds == pytest.approx(20 / 25)
    assert (summary.shortest, summary.median, summary.longest) == (5, 6, 9)
    assert summary.sizes == {f"{WIDTH}x{HEIGHT}": 3}
    assert summary.speakers == {"alba": 2, "bo": 1}


def test_summary_of_what_cannot_be_opened(root: Path) -> None:
    (root / "videos" / "train" / "alba_clip0.mp4").unlink()
    with pytest.raises(UserError, match="alba_clip0"):
        summarise(open_corpus(root, "train"))
