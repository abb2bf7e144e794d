"""Lists of pairs: reproducible, and the same that training draws."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signgen.data import PairDataset, open_corpus
from signgen.data.pair_lists import clip_lengths, first_frame_pairs, random_pairs, read_pair_list, write_pairs
from signgen.errors import UserError
from tests.small_corpus import CLIPS, HEIGHT, WIDTH

LENGTHS = np.array([3, 1, 7])


def test_lengths_are_those_of_the_frames(small_corpus: Path) -> None:
    assert clip_lengths(open_corpus(small_corpus, "train")).tolist() == list(CLIPS.values())


def test_random_pairs_depend_on_the_seed_alone() -> None:
    pairs = list(random_pairs(LENGTHS, 50, seed=3))
    assert pairs[:20] == list(random_pairs(LENGTHS, 20, seed=3))
    assert pairs != list(random_pairs(LENGTHS, 50, seed=4))
    assert all(max(source, target) < LENGTHS[clip] for clip, source, target in pairs)


def test_first_frame_pairs_are_every_frame_once() -> None:
    assert list(first_frame_pairs(LENGTHS)) == [(c, 0, t) for c, n in enumerate(LENGTHS) for t in range(n)]


def test_training_draws_the_pairs_that_are_written(small_corpus: Path, tmp_path: Path) -> None:
    corpus, path = open_corpus(small_corpus, "train"), tmp_path / "pairs.csv"
    assert write_pairs(path, corpus, random_pairs(clip_lengths(corpus), 10, seed=9)) == 10
    dataset = PairDataset(corpus, (HEIGHT, WIDTH), 10, seed=9)
    for n, (clip, source, target) in enumerate(read_pair_list(path, corpus)):
        sample = dataset[n]
        with corpus.reader(clip) as reader:
            np.testing.assert_array_equal(sample["source"], reader[source])
            np.testing.assert_array_equal(sample["target"], reader[target])


def test_nothing_is_left_of_a_list_that_fails(small_corpus: Path, tmp_path: Path) -> None:
    corpus = open_corpus(small_corpus, "train")
    with pytest.raises(IndexError):
        write_pairs(tmp_path / "pairs.csv", corpus, [(0, 0, 0), (99, 0, 0)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a list of pairs"),
        ("clip,source,target\nalba_clip0,1\n", "line 2 is not"),
        ("clip,source,target\nalba_clip0,1,-1\n", "line 2 is not"),
        ("clip,source,target\nnobody,1,1\n", "line 2: no clip 'nobody'"),
        ("clip,source,target\nalba_clip0,1,6\n", "line 2: clip alba_clip0 has 6 frames only"),
    ],
)
def test_bad_lists(small_corpus: Path, tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_pair_list(path, open_corpus(small_corpus, "train"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.sampled_from(["", "clip,source,target\n", "clip,source,target\nalba_clip0,"]), st.binary(max_size=100))
def test_any_bytes_give_a_list_or_one_line(small_corpus: Path, tmp_path: Path, start: str, rest: bytes) -> None:
    path = tmp_path / "pairs.csv"
    path.write_bytes(start.encode() + rest)
    try:
        read_pair_list(path, open_corpus(small_corpus, "train"))
    except UserError as error:
        message = str(error)
        assert message.startswith(str(path))
        assert "\n" not in message
