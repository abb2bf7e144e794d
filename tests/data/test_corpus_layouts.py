"""Opening corpora of each layout."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from signgen.data import Corpus, open_corpus
from signgen.errors import UserError
from tests.small_corpus import CLIPS, HEIGHT, WIDTH, make_keypoints, write_clip


def test_synthetic_layout_lists_clips_in_the_order_of_the_table(small_corpus: Path) -> None:
    corpus = open_corpus(small_corpus, "train")
    assert [clip.name for clip in corpus] == list(CLIPS)
    assert [clip.speaker for clip in corpus] == ["alba", "alba", "bo"]
    assert corpus[0].gloss == "A B"


def test_poses_and_frames_of_a_clip_agree(small_corpus: Path) -> None:
    corpus = open_corpus(small_corpus, "train")
    for index, (seed, frames) in enumerate(enumerate(CLIPS.values())):
        poses = corpus.poses(index)
        assert poses.size == (WIDTH, HEIGHT)
        assert poses.fps == 25
        np.testing.assert_array_equal(poses.keypoints, make_keypoints(frames, seed).astype(np.float32))
        with corpus.reader(index) as reader:
            assert len(reader) == len(poses) == frames


def test_plain_folder_pairs_clips_with_pose_files_beside_or_apart(tmp_path: Path) -> None:
    write_clip(tmp_path / "b.mp4", 3, 0)
    write_clip(tmp_path / "a.mp4", 4, 1)
    write_clip(tmp_path / "c.mp4", 2, 1)
    np.save(tmp_path / "a.npy", make_keypoints(4, 0))
    (tmp_path / "poses").mkdir()
    np.save(tmp_path / "poses" / "b.npy", make_keypoints(3, 1))
    corpus = open_corpus(tmp_path)
    assert [clip.name for clip in corpus] == ["a", "b", "c"]
    assert [len(corpus.poses(index)) for index in range(2)] == [4, 3]
    with pytest.raises(UserError, match=r"c\.mp4.*no poses.*signgen poses extract"):
        corpus.poses(2)


def test_corpora_are_joined_with_plus_or_as_a_list(small_corpus: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "train" / "own.mp4", 3, 0)
    one = open_corpus(small_corpus, "train")
    for root in (f"{small_corpus}+{tmp_path}", [small_corpus, tmp_path]):
        both = open_corpus(root, "train")
        assert both[: len(one)] == one
        assert [clip.name for clip in both[len(one) :]] == ["own"]


def test_a_plus_in_the_name_of_a_folder_joins_nothing(small_corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(small_corpus, tmp_path / "a+b")
    assert len(open_corpus(str(tmp_path / "a+b"), "train")) == len(CLIPS)


def test_slices_are_corpora(small_corpus: Path) -> None:
    part = open_corpus(small_corpus, "train")[1:]
    assert isinstance(part, Corpus)
    assert len(part) == 2


@pytest.mark.parametrize(
    ("root", "split", "layout", "message"),
    [
        ("", "test", "auto", "no split 'test'.*train"),
        ("", None, "auto", r"which split\? Add --split.*there is train"),
        ("nowhere", "train", "auto", "nowhere.*no such corpus folder"),
        ("", "train", "phoenix", "unknown corpus layout 'phoenix'.*synthetic-signers"),
        ("keypoints", None, "auto", "no clips here"),
        ("", "test", "folder", "no such folder"),
    ],
)
def test_what_cannot_be_opened_is_said(
    small_corpus: Path, root: str, split: str | None, layout: str, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        open_corpus(small_corpus / root, split, layout=layout)


def test_no_root_at_all() -> None:
    with pytest.raises(UserError, match="no corpus folder"):
        open_corpus([], "train")


def test_synthetic_signers(shared: Path) -> None:
    corpus = open_corpus(shared / "data" / "synthetic-signers", "dev")
    assert len(corpus) == 32
    assert len({clip.speaker for clip in corpus}) == 16
    assert len(corpus.poses(31)) == 36
