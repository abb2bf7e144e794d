"""Whatever the bytes, a reader gives a valid sequence or one clear line."""

import io
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signgen.errors import UserError
from signgen.poses import PoseSequence, read_poses, write_poses

ANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
STARTS = [
    *(
        b"",
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00",
        b"\x80\x04",
        b"\x1f\x8b\x08\x00",
        b"{",
        b"[",
        b'{"people": [',
        b"1 2\n",
    ),
    *(b"\x00\x00\x00\x00", b"\xcd\xcc\xcc\x3d", b"\xcd\xcc\x4c\x3e", b"name:keypoints_y:keypoints_x\n"),
]


def check(path: Path) -> None:
    """Read a file that may be anything."""
    try:
        poses = read_poses(path, size=(210, 260))
    except UserError as error:
        assert str(error).startswith(str(path))
        assert "\n" not in str(error)
    else:
        assert isinstance(poses, PoseSequence)  # which validates itself
        assert len(poses) > 0


@ANY
@given(start=st.sampled_from(STARTS), content=st.binary(max_size=300))
def test_any_bytes(tmp_path, start, content):
    (tmp_path / "file").write_bytes(start + content)
    check(tmp_path / "file")


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                "people pose_keypoints_2d face_keypoints_2d hand_left_keypoints_2d images annotations id image_id "
                "width height file_name keypoints keypoint_scores instances instance_info canvas_width".split()
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@ANY
@given(value=VALUE)
def test_any_json_of_the_fields_words(tmp_path, value):
    (tmp_path / "file").write_text(json.dumps(value))
    check(tmp_path / "file")


@ANY
@given(value=VALUE)
def test_any_pickle_of_the_fields_words(tmp_path, value):
    (tmp_path / "file").write_bytes(pickle.dumps(value))
    check(tmp_path / "file")


def files(folder: Path, signer: PoseSequence) -> dict[str, bytes]:
    """One small file of each format."""
    write_poses(signer[:2], folder / "a.pose")
    write_poses(signer[:2], folder / "a.npz")
    write_poses(signer[:2], folder / "json")
    array = io.BytesIO()
    np.save(array, signer.keypoints[:2])
    found = {path.name: path.read_bytes() for path in [folder / "a.pose", folder / "a.npz"]}
    return found | {
        "frame.json": next((folder / "json").iterdir()).read_bytes(),
        "a.npy": array.getvalue(),
        "a.pkl": pickle.dumps({"a": {"keypoint": signer.keypoints[:2]}}),
        "a.txt": b"12.5 30\n" * 18,
        "a.csv": b"name:keypoints_y:keypoints_x\na.jpg: [%s]: [%s]\n" % ((b", ".join([b"5"] * 18),) * 2),
    }


@pytest.mark.parametrize("name", ["a.pose", "a.npz", "frame.json", "a.npy", "a.pkl", "a.txt", "a.csv"])
def test_damaged_files(tmp_path, signer, name):
    content = files(tmp_path, signer)[name]
    (tmp_path / "file").write_bytes(content)
    assert len(read_poses(tmp_path / "file", size=(210, 260))) > 0
    generator = np.random.default_rng(len(content))
    for _ in range(80):
        damaged = bytearray(content)
        near_start = generator.random() < 0.5  # headers are where damage matters
        for _ in range(generator.integers(1, 4)):
            damaged[generator.integers(0, min(len(content), 400 if near_start else len(content)))] = generator.integers(
                256
            )
        (tmp_path / "file").write_bytes(
            damaged[: generator.integers(1, len(content))] if generator.random() < 0.3 else damaged
        )
        check(tmp_path / "file")


@pytest.mark.parametrize(
    "path",
    [
        *("sign-clip/clip.pose", "pose-files/openpose.pose", "pose-files/testing-reduced.pose"),
        *("pose-files/mediapipe_hand_normalized.pose", "openpose-hands/img_00.json", "wholebody-json/last_frame.json"),
        *("wholebody-json/test_coco_wholebody.json", "phoenix14t-labels/phoenix-2014t.test"),
        *("phoenix14t-fpdm/10December_2009_Thursday_heute_7944/keypoints.npz", "sign-clip/clip.mp4"),
        "deepfashion-lists/fasion-annotation-test.csv",
        "deepfashion-sample/pose/WOMEN/Shorts/id_00005138/03_1_front.txt",
        "openpose-folder/du_wohn_wo_000000000000_keypoints.json",
    ],
)
def test_real_files_cut_off_anywhere(tmp_path, shared, path):
    content = (shared / "real" / path).read_bytes()
    for end in {
        *range(1, min(len(content), 200), 13),
        *range(0, len(content), len(content) // 12 + 1),
        len(content) - 1,
    }:
        (tmp_path / "file").write_bytes(content[:end])
        check(tmp_path / "file")
