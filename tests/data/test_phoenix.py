"""Phoenix-2014T in each of its layouts, built small."""

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.data import PairDataset, first_frame_protocol, open_corpus
from signgen.data.phoenix import SPLITS
from signgen.data.phoenix_labels import read_labels
from signgen.errors import UserError
from tests.small_corpus import HEADER, make_keypoints, write_clip

NAMES = ["11August_2010_Wednesday_tagesschau-1", "25October_2010_Monday_tagesschau-17"]
LENGTHS = [3, 12]


def write_table(home: Path, split: str = "test") -> None:
    folder = home / "annotations" / "manual"
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{name}|{name}/1/*.png|-1|-1|Signer0{i}|REGEN|regen ." for i, name in enumerate(NAMES)]
    (folder / f"PHOENIX-2014-T.{split}.corpus.csv").write_text("\n".join([HEADER, *rows]) + "\n")


def write_labels(path: Path) -> None:
    labels = [
        {
            "name": f"test/{name}",
            "signer": "Signer01",
            "gloss": "REGEN",
            "text": "regen .",
            "num_frames": length,
        }
        for name, length in zip(NAMES, LENGTHS, strict=True)
    ]
    path.write_bytes(gzip.compress(pickle.dumps([{**label, "sign": torch.zeros(2, 3)} for label in labels])))


def write_images(folder: Path, length: int) -> None:
    folder.mkdir(parents=True)
    for number in range(1, length + 1):
        Image.new("RGB", (210, 260), (number, 0, 0)).save(folder / f"images{number:04d}.png")


@pytest.mark.parametrize("home", ["", "PHOENIX-2014-T", "PHOENIX-2014-T-release-v3/PHOENIX-2014-T"])
@pytest.mark.parametrize(
    "place", ["features/fullFrame-210x260px/test/{}/1", "features/fullFrame-210x260px/test/{}", "images/{}"]
)
def test_image_layouts(tmp_path: Path, home: str, place: str) -> None:
    write_table(tmp_path / home)
    for name, length in zip(NAMES, LENGTHS, strict=True):
        write_images(tmp_path / home / place.format(name), length)
    corpus = open_corpus(tmp_path, "test")
    assert [clip.name for clip in corpus] == NAMES
    assert [clip.speaker for clip in corpus] == ["Signer00", "Signer01"]
    for index, length in enumerate(LENGTHS):
        with corpus.reader(index) as reader:
            assert len(reader) == length
            assert reader.size == (210, 260)
            assert [int(frame[0, 0, 0]) for frame in reader] == list(range(1, length + 1))


def test_videos_and_labels_with_archived_poses(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    write_labels(tmp_path / "labels" / "phoenix-2014t.test")
    keypoints = {f"test/{name}": make_keypoints(length, length) for name, length in zip(NAMES, LENGTHS, strict=True)}
    for name, length in zip(NAMES, LENGTHS, strict=True):
        write_clip(tmp_path / "videos" / "test" / f"{name}.mp4", length, 0)
    (tmp_path / "keypoints_hrnet_dark_coco_wholebody.pkl").write_bytes(
        pickle.dumps({name: {"keypoints": points} for name, points in keypoints.items()})
    )
    corpus = open_corpus(tmp_path, "test")
    assert [clip.length for clip in corpus] == LENGTHS
    for index, name in enumerate(NAMES):
        poses = corpus.poses(index)
        assert poses.size == (210, 260)  # the points' image, though the videos are smaller
        np.testing.assert_array_equal(poses.keypoints, keypoints[f"test/{name}"].astype(np.float32))
    assert PairDataset(corpus, (80, 64), 3, seed=0)[2]["pose"].any()
    assert sum(len(driven.poses) for driven in first_frame_protocol(corpus)) == sum(LENGTHS)


@pytest.mark.parametrize("prefix", ["", "test/"])
def test_archives_of_tensors_by_either_name(tmp_path: Path, prefix: str) -> None:
    write_table(tmp_path)
    points = torch.from_numpy(make_keypoints(3, 5).astype(np.float32))
    archive = {prefix + NAMES[0]: {"name": NAMES[0], "keypoint": points, "num_frames": 3}}
    (tmp_path / "Phoenix-2014T.test").write_bytes(pickle.dumps(archive))
    write_images(tmp_path / "images" / NAMES[0], 3)
    write_images(tmp_path / "images" / NAMES[1], 3)
    corpus = open_corpus(tmp_path, "test")
    np.testing.assert_array_equal(corpus.poses(0).keypoints, points.numpy())
    with pytest.raises(UserError, match=f"no sequence called 'test/{NAMES[1]}'"):
        corpus.poses(1)


def test_split_archive_of_arrays_and_own_pose_files(tmp_path: Path) -> None:
    write_table(tmp_path)
    for name, length in zip(NAMES, LENGTHS, strict=True):
        write_images(tmp_path / "images" / name, length)
    (tmp_path / "poses" / "test").mkdir(parents=True)
    np.save(tmp_path / "poses" / "test" / f"{NAMES[1]}.npy", make_keypoints(12, 1))
    corpus = open_corpus(tmp_path, "test")
    assert corpus[0].poses is None
    assert len(corpus.poses(1)) == 12


def test_hostile_archive_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple:
            return (open, (str(tmp_path / "pwned"), "w"))

    write_table(tmp_path)
    (tmp_path / "Phoenix-2014T.test").write_bytes(pickle.dumps({NAMES[0]: Hostile()}))
    write_images(tmp_path / "images" / NAMES[0], 3)
    with pytest.raises(UserError, match="refused"):
        open_corpus(tmp_path, "test").poses(0)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8bnot gzip", "cannot read this label file"),
        (gzip.compress(pickle.dumps(3)), "holds a int"),
        (gzip.compress(pickle.dumps([{}])), "entry 0 has no name"),
        (gzip.compress(pickle.dumps([{"name": "test/.."}])), "cannot be the name of a clip"),
        (gzip.compress(pickle.dumps([{"name": "a", "num_frames": -1}])), "a has -1 frames"),
        (gzip.compress(b"\x80\x04rubbish"), "broken pickle"),
    ],
)
def test_bad_labels(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "phoenix-2014t.test"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_labels(path)


def test_splits_that_are_not_there(tmp_path: Path) -> None:
    write_table(tmp_path, "dev")
    with pytest.raises(UserError, match=r"phoenix-2014t\.test"):
        open_corpus(tmp_path, "test")
    with pytest.raises(UserError, match="no split 'all'"):
        open_corpus(tmp_path, "all")


def test_official_miniature(shared: Path) -> None:
    for split in SPLITS:
        corpus = open_corpus(shared / "real" / "PHOENIX-2014-T-release-v3", split)
        assert len(corpus) == 1
        with corpus.reader(0) as reader:
            assert len(reader) == 2


def test_official_labels_make_the_test_protocol(shared: Path) -> None:
    labels = read_labels(shared / "real" / "phoenix14t-labels" / "phoenix-2014t.test")
    assert len(labels) == SPLITS["test"]
    assert sum(label.frames or 0 for label in labels) == 64_627
