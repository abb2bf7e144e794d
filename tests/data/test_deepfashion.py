"""DeepFashion's lists and the corpus they make."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from signgen.data import PairDataset, open_corpus
from signgen.data.deepfashion import official_pairs
from signgen.data.deepfashion_lists import image_key, read_image_list, read_pairs
from signgen.errors import UserError
from signgen.poses.formats.detect import list_sequences

TABLE_HEADER = "name:keypoints_y:keypoints_x"
KEYS = [f"WOMEN/Tees_Tanks/id_00003470/17_{view}" for view in ("1_front", "3_back", "4_full")]
FLAT = ["fashionWOMENTees_Tanksid0000347017_1front.jpg", "fasionWOMENTeesTanksid0000347017_3back.jpg"]
POINTS = "\n".join(["50 20"] * 17 + ["-1 -1"])
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two garments: three views of one, one of the other."""
    keys = [*KEYS, "MEN/Denim/id_00000080/01_1_front"]
    for brightness, key in enumerate(keys, start=1):
        for folder in ("img", "pose"):
            (tmp_path / folder / key).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (75, 110), (brightness * 40,) * 3).save(tmp_path / "img" / f"{key}.jpg")
        (tmp_path / "pose" / f"{key}.txt").write_text(POINTS)
    pairs = [[0, 1], [1, 0], [2, 1]]
    entries = [{"source_image": f"./img/{keys[a]}.jpg", "target_image": f"./img/{keys[b]}.jpg"} for a, b in pairs]
    (tmp_path / "train_pairs_data.json").write_text(json.dumps(entries))
    (tmp_path / "test.lst").write_text("fashionMENDenimid0000008001_1front.jpg\n")
    return tmp_path


def test_every_spelling_has_one_key() -> None:
    assert [image_key(name) for name in FLAT] == KEYS[:2]
    assert image_key(f"./img/{KEYS[2]}.jpg") == KEYS[2]
    assert image_key("fasionMENJacketsVestsid0000333606_6flat.jpg") == "MEN/Jackets_Vests/id_00003336/06_6_flat"


@pytest.mark.parametrize(
    "name",
    ["", "x.jpg", "fashionWOMENTeesid1_1front.jpg", "../../etc/passwd", "MEN/../id_00000001/01_1_front"],
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="not the name of a DeepFashion image"):
        image_key(name)


def test_all_official_names_have_distinct_keys(shared: Path) -> None:
    lists = shared / "real" / "deepfashion-lists"
    keys = read_image_list(lists / "train.lst") + read_image_list(lists / "test.lst")
    assert len(keys) == len(set(keys)) == 52_712
    pairs = read_pairs(lists / "fasion-pairs-test.csv")
    assert len(pairs) == 8670
    assert {key for pair in pairs for key in pair} <= set(keys)
    table = {image_key(name) for name in list_sequences(lists / "fasion-annotation-test.csv")}
    assert len(table) == 4061
    assert {key for pair in pairs for key in pair} <= table <= set(keys)


def test_official_sample(shared: Path) -> None:
    root = shared / "real" / "deepfashion-sample"
    corpus = open_corpus(root, "test")
    assert len(corpus) == 5
    triples = official_pairs(root, "test", corpus)
    assert len(triples) == 5
    sample = PairDataset(corpus, (256, 176), 4, seed=0, triples=triples)[0]
    assert sample["target"].shape == (256, 176, 3)
    assert sample["keypoints"].shape == (18, 3)


def test_split_by_pairs_or_by_list(shop: Path) -> None:
    train, test = open_corpus(shop, "train"), open_corpus(shop, "test")
    assert [(clip.name, len(clip.open())) for clip in train] == [("WOMEN/Tees_Tanks/id_00003470/17", 3)]
    assert [clip.name for clip in test] == ["MEN/Denim/id_00000080/01"]
    with pytest.raises(UserError, match="no split 'dev'"):
        open_corpus(shop, "dev")


def test_points_lose_the_margin(shop: Path) -> None:
    poses = open_corpus(shop, "train").poses(0)
    assert poses.size == (176, 256)
    assert poses.skeleton == "openpose-18"
    np.testing.assert_array_equal(poses.keypoints[0, 0], (10, 20, 1))
    np.testing.assert_array_equal(poses.keypoints[0, 17], (0, 0, 0))


def test_the_table_that_knows_most_images_is_used(shop: Path) -> None:
    row = "{}: " + str([30] * 18) + ": " + str([60] * 18)
    (shop / "fasion-annotation-a.csv").write_text("\n".join([TABLE_HEADER, row.format(FLAT[0])]))
    names = [f"fashionWOMENTees_Tanksid0000347017_{view}.jpg" for view in ("1front", "3back", "4full")]
    (shop / "fasion-annotation-b.csv").write_text("\n".join([TABLE_HEADER, *map(row.format, names)]))
    poses = open_corpus(shop, "train").poses(0)
    np.testing.assert_array_equal(poses.keypoints, np.broadcast_to(np.float32([20, 30, 1]), (3, 18, 3)))


def test_official_pairs_are_drawn(shop: Path) -> None:
    corpus = open_corpus(shop, "train")
    triples = official_pairs(shop, "train", corpus)
    assert triples == [(0, 0, 1), (0, 1, 0), (0, 2, 1)]
    for preload in (False, True):
        dataset = PairDataset(corpus, (110, 75), 30, 0, triples=triples, preload=preload)
        drawn = {tuple(round(dataset[n][key].float().mean().item() / 40) - 1 for key in ("source", "target"))
                 for n in range(30)}  # fmt: skip
        assert drawn == {(0, 1), (1, 0), (2, 1)}


def test_pairs_that_do_not_fit_the_corpus(shop: Path) -> None:
    corpus = open_corpus(shop, "test")
    with pytest.raises(UserError, match="no list of pairs"):
        official_pairs(shop, "test", corpus)
    with pytest.raises(UserError, match="is not in this split"):
        official_pairs(shop, "train", corpus)
    both = open_corpus(shop, "train") + corpus
    other = "fashionMENDenimid0000008001_1front.jpg"
    (shop / "fashion-pairs-test.csv").write_text(f"from,to\n{FLAT[0]},{other}\n")
    with pytest.raises(UserError, match="not of one person in one garment"):
        official_pairs(shop, "test", both)


def test_pairs_of_csv_and_json_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "pairs"
    path.write_text(f"from,to\n{FLAT[0]},{FLAT[1]}\n")
    from_csv = read_pairs(path)
    entry = {"source_image": f"img/{KEYS[0]}.jpg", "target_image": f"img/{KEYS[1]}.jpg"}
    path.write_text(json.dumps([entry]))
    assert read_pairs(path) == from_csv == [(KEYS[0], KEYS[1])]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "neither a CSV of pairs"),
        ("from,to\na,b\n", "line or entry 2: 'a' is not"),
        (f"from,to\n{FLAT[0]}\n", "entry 2 is not a pair"),
        ("[1]", "entry 1 is not a pair"),
        ("[[", "broken JSON"),
    ],
)
def test_bad_pairs(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "pairs"
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        read_pairs(path)


def test_images_that_no_table_knows(shop: Path) -> None:
    row = f"{FLAT[0]}: {[30] * 18}: {[60] * 18}"
    (shop / "fasion-annotation-train.csv").write_text(f"{TABLE_HEADER}\n{row}\n")
    with pytest.raises(UserError, match=f"no keypoints for {KEYS[1]}"):
        open_corpus(shop, "train").poses(0)
    (shop / "fasion-annotation-train.csv").write_text(f"{TABLE_HEADER}\n{row.replace(FLAT[0], 'x.jpg')}\n")
    with pytest.raises(UserError, match=r"'x\.jpg' is not the name"):
        open_corpus(shop, "train")


@SAME_FOLDER
@given(st.sampled_from(["", "from,to\n", f"{FLAT[0]}\n", "["]), st.binary(max_size=200))
def test_any_bytes_give_a_list_or_one_line(tmp_path: Path, start: str, rest: bytes) -> None:
    path = tmp_path / "list"
    path.write_bytes(start.encode() + rest)
    for read in (read_image_list, read_pairs):
        try:
            read(path)
        except UserError as error:
            message = str(error)
            assert message.startswith(str(path))
            assert "\n" not in message
