"""Training samples: what is in them, and that sample n depends on the seed and n alone."""

import gc
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from signgen.data import Augmentation, Corpus, PairDataset, Triple, draw_triple, first_frame_protocol, open_corpus
from signgen.data.frame_sources import StoredFrames
from signgen.data.pairs import sample_generator
from signgen.errors import UserError
from signgen.poses import draw_pose
from signgen.poses.skeletons import FLIP_133
from signgen.video import VideoFile
from tests.small_corpus import CLIPS, HEIGHT, WIDTH, make_keypoints, write_clip

SIZE = (HEIGHT, WIDTH)
EVERYTHING = Augmentation(keypoint_jitter=1.0, flip=0.5, colour=0.5, source_low_resolution=0.5, self_pairs=0.2)


@pytest.fixture
def corpus(small_corpus: Path) -> Corpus:
    return open_corpus(small_corpus, "train")


def assert_equal_samples(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for key in one:
        torch.testing.assert_close(one[key], other[key], rtol=0, atol=0, msg=key)


def test_sample_holds_what_it_promises(corpus: Corpus) -> None:
    sample = PairDataset(corpus, SIZE, 10, seed=1, noise_shape=(4, 10, 8))[3]
    for key in ("source", "target", "pose"):
        assert sample[key].dtype == torch.uint8
        assert sample[key].shape == (HEIGHT, WIDTH, 3)
    assert sample["keypoints"].dtype == torch.float32
    assert sample["keypoints"].shape == (133, 3)
    assert sample["noise"].shape == (4, 10, 8)
    assert sample["uniform"].shape == (8,)
    assert ((sample["uniform"] >= 0) & (sample["uniform"] < 1)).all()
    assert sample["index"].item() == 3
    assert sample["index"].dtype == torch.int64


def test_sample_is_the_drawn_triple(corpus: Corpus) -> None:
    dataset = PairDataset(corpus, SIZE, 20, seed=5)
    for n in range(20):
        clip, source, target = draw_triple(np.array(list(CLIPS.values())), sample_generator(5, n))
        sample = dataset[n]
        with corpus.reader(clip) as reader:
            np.testing.assert_array_equal(sample["source"], reader[source])
            np.testing.assert_array_equal(sample["target"], reader[target])
        keypoints = make_keypoints(list(CLIPS.values())[clip], clip)[target].astype(np.float32)
        np.testing.assert_array_equal(sample["keypoints"], keypoints)
        np.testing.assert_array_equal(sample["pose"], draw_pose(keypoints, *SIZE))


def test_triples_reach_every_clip_and_frame() -> None:
    lengths = np.array([2, 5, 1])
    triples = [draw_triple(lengths, sample_generator(0, n)) for n in range(500)]
    every_frame = {(clip, frame) for clip, length in enumerate(lengths) for frame in range(length)}
    assert {(clip, source) for clip, source, _ in triples} == every_frame
    assert {(clip, target) for clip, _, target in triples} == every_frame


@pytest.mark.filterwarnings("ignore:This DataLoader will create 2 worker processes")  # fewer cores will do
@pytest.mark.parametrize("preload", [False, True])
def test_workers_and_order_change_nothing(corpus: Corpus, preload: bool) -> None:
    dataset = PairDataset(corpus, SIZE, 24, 7, EVERYTHING, noise_shape=(2, 3), preload=preload)
    backwards = [dataset[n] for n in reversed(range(24))][::-1]  # leaves readers open, not to be shared
    loaded = DataLoader(dataset, batch_size=None, num_workers=2, multiprocessing_context="fork")
    for mine, theirs in zip(backwards, loaded, strict=True):
        assert_equal_samples(mine, theirs)


@pytest.mark.slow  # a fresh process imports torch
def test_workers_that_are_not_forked_share_the_memory(corpus: Corpus) -> None:
    dataset = PairDataset(corpus, SIZE, 2, 7, preload=True)
    loaded = list(DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="spawn"))
    assert_equal_samples(loaded[1], dataset[1])
    assert isinstance(dataset.frames, StoredFrames)
    assert dataset.frames.pixels.is_shared()
    assert dataset.poses.keypoints.is_shared()


def test_pairs_of_a_list_are_gone_through_epoch_by_epoch(corpus: Corpus) -> None:
    triples = [Triple(1, 0, target) for target in range(9)]
    dataset = PairDataset(corpus, SIZE, 27, 7, triples=triples)

    def epoch(number: int) -> list[int]:
        targets = {dataset.poses.frame(1, target).tobytes(): target for target in range(9)}
        return [targets[dataset[n]["keypoints"].numpy().tobytes()] for n in range(9 * number, 9 * number + 9)]

    epochs = [epoch(2), epoch(0), epoch(1)]
    assert all(sorted(order) == list(range(9)) for order in epochs)
    assert epochs[0] != epochs[1] != epochs[2]
    assert epoch(2) == epochs[0]  # whatever was drawn before


def test_preloaded_and_decoded_samples_are_equal(corpus: Corpus) -> None:
    size = (HEIGHT // 2, WIDTH // 2 + 3)
    decoded = PairDataset(corpus, size, 10, 7, EVERYTHING)
    stored = PairDataset(corpus, size, 10, 7, EVERYTHING, preload=True)
    for n in range(10):
        assert_equal_samples(decoded[n], stored[n])


def test_readers_put_away_are_freed_at_once(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signgen.data.frame_sources.OPEN_READERS", 1)
    dataset = PairDataset(corpus, SIZE, 30, 7)
    gc.collect()
    before = readers_alive()
    gc.disable()  # a decoder holds megabytes, of which the collector sees nothing: it may wait for long
    try:
        for n in range(30):
            dataset[n]
        assert readers_alive() - before == 1
    finally:
        gc.enable()


def readers_alive() -> int:
    return sum(type(thing) is VideoFile for thing in gc.get_objects())


def test_a_pickled_dataset_draws_the_same(corpus: Corpus) -> None:
    dataset = PairDataset(corpus, SIZE, 5, 7, EVERYTHING)
    first = dataset[0]  # opens a reader, which cannot travel
    assert_equal_samples(pickle.loads(pickle.dumps(dataset))[0], first)


def test_seeds_differ(corpus: Corpus) -> None:
    one, other = (PairDataset(corpus, SIZE, 1, seed)[0]["uniform"] for seed in (1, 2))
    assert (one != other).all()


def test_flip_mirrors_images_and_exchanges_hands(corpus: Corpus) -> None:
    plain = PairDataset(corpus, SIZE, 5, 7)
    flipped = PairDataset(corpus, SIZE, 5, 7, Augmentation(flip=1.0))
    for n in range(5):
        before, after = plain[n], flipped[n]
        for key in ("source", "target"):
            torch.testing.assert_close(after[key], before[key].flip(1))
        present = before["keypoints"][FLIP_133, 2] > 0
        mirrored = WIDTH - before["keypoints"][FLIP_133, 0]
        torch.testing.assert_close(after["keypoints"][present, 0], mirrored[present])
        np.testing.assert_array_equal(after["pose"], draw_pose(after["keypoints"].numpy(), *SIZE))


def test_colours_change_alike_in_source_and_target(corpus: Corpus) -> None:
    options = Augmentation(self_pairs=1.0, colour=1.0, colour_strength=0.5)
    plain = PairDataset(corpus, SIZE, 5, 7, Augmentation(self_pairs=1.0))
    changed = PairDataset(corpus, SIZE, 5, 7, options)
    for n in range(5):
        torch.testing.assert_close(changed[n]["source"], changed[n]["target"])
        assert (changed[n]["target"] != plain[n]["target"]).any()
        torch.testing.assert_close(changed[n]["pose"], plain[n]["pose"])


def test_jitter_moves_the_drawn_pose_and_not_the_images(corpus: Corpus) -> None:
    plain, noisy = (
        PairDataset(corpus, SIZE, 1, 7, options)[0] for options in (None, Augmentation(keypoint_jitter=2.0))
    )
    assert (plain["pose"] != noisy["pose"]).any()
    torch.testing.assert_close(plain["target"], noisy["target"])
    missing = plain["keypoints"][:, 2] == 0
    assert missing.any()
    torch.testing.assert_close(plain["keypoints"][missing], noisy["keypoints"][missing])


def test_only_the_source_loses_resolution(corpus: Corpus) -> None:
    plain, low = (
        PairDataset(corpus, SIZE, 1, 7, options)[0] for options in (None, Augmentation(source_low_resolution=1.0))
    )
    assert (plain["source"] != low["source"]).any()
    torch.testing.assert_close(plain["target"], low["target"])


def test_as_many_frames_as_poses_are_needed(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 4, 0)
    np.save(tmp_path / "a.npy", make_keypoints(5, 0))
    corpus = open_corpus(tmp_path)
    with pytest.raises(UserError, match=r"a\.mp4: 4 frames but 5 poses"):
        PairDataset(corpus, SIZE, 1, 0, preload=True)
    with pytest.raises(UserError, match=r"a\.mp4: 4 frames but 5 poses"):
        PairDataset(corpus, SIZE, 1, 0)[0]


def test_frames_that_do_not_come_are_an_error(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(VideoFile, "__iter__", lambda reader: iter([reader[0]]))
    with pytest.raises(UserError, match=r"clip.\.mp4: \d of \d frames cannot be decoded"):
        PairDataset(corpus, SIZE, 1, 0, preload=True)


def test_nothing_to_draw_from_is_an_error(corpus: Corpus) -> None:
    with pytest.raises(UserError, match="no clips"):
        PairDataset(corpus[:0], SIZE, 1, 0)
    with pytest.raises(UserError, match="length 0"):
        PairDataset(corpus, SIZE, 0, 0)
    with pytest.raises(IndexError):
        PairDataset(corpus, SIZE, 1, 0)[1]


def test_first_frame_protocol_pairs_the_first_frame_with_every_pose(corpus: Corpus) -> None:
    pairs = 0
    for driven, (name, frames) in zip(first_frame_protocol(corpus), CLIPS.items(), strict=True):
        assert driven.clip.name == name
        assert len(driven.poses) == len(driven.reference) == frames
        np.testing.assert_array_equal(driven.first_frame, driven.reference[0])
        pairs += len(driven.poses)
    assert pairs == sum(CLIPS.values())
