"""What other tools write, each as a small file of our own making."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from signgen.errors import InputWarning, UserError
from signgen.poses import PoseSequence, read_poses
from signgen.poses.formats.detect import holds_video, read_raw
from signgen.poses.point_layouts import DWPOSE_134, HALPE_136
from signgen.poses.skeletons import NAMES_18, NAMES_133

SIZE = (210, 260)


def write(path: Path, content: Any) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def as_openpose(frame: np.ndarray, suffix: str = "_2d") -> dict[str, Any]:
    """One frame (133, 3) as a person of OpenPose with 18 body points."""
    body = np.zeros((18, 3))
    for index, name in enumerate(NAMES_18):
        if name != "neck":
            body[index] = frame[NAMES_133.index(name)]
    parts = {"pose": body, "face": frame[23:91], "hand_left": frame[91:112], "hand_right": frame[112:]}
    return {f"{part}_keypoints{suffix}": np.ravel(points).tolist() for part, points in parts.items()}


def assert_same(poses: PoseSequence, signer: PoseSequence, points: Any = slice(None), atol: float = 1e-3) -> None:
    assert np.allclose(poses.keypoints[:, points], signer.keypoints[: len(poses), points], atol=atol)


ALL_BUT_FEET = [*range(17), *range(23, 133)]


class TestOpenPose:
    def test_the_first_versions_names(self, tmp_path: Path, signer: PoseSequence) -> None:
        frames = [{"people": [as_openpose(frame, "")]} for frame in signer.keypoints]
        assert_same(read_poses(write(tmp_path / "a.json", frames), size=SIZE), signer, ALL_BUT_FEET)

    def test_people_of_no_known_part_are_refused(self, tmp_path: Path) -> None:
        path = write(tmp_path / "a.json", {"people": [{"person_id": [-1], "joints": [1, 2, 3]}]})
        with pytest.raises(
            UserError, match=r"frame 0, person 0 has none of pose_keypoints_2d, .* it has person_id, joi"
        ):
            read_poses(path, size=SIZE)

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
    def test_any_encoding(self, tmp_path: Path, signer: PoseSequence, encoding: str) -> None:
        text = json.dumps({"people": [as_openpose(signer.keypoints[0])]})
        path = write(tmp_path / "a.json", text.encode(encoding))
        assert not holds_video(path)
        assert_same(read_poses(path, size=SIZE), signer, ALL_BUT_FEET)

    def test_hidden_files_are_no_frames_and_a_broken_one_is_named(self, tmp_path: Path, signer: PoseSequence) -> None:
        for number, frame in enumerate(signer.keypoints[:3]):
            write(tmp_path / f"{number}.json", {"people": [as_openpose(frame)]})
            write(tmp_path / f"._{number}.json", b"\x00\x05\x16\x07 Mac OS X")
        assert len(read_poses(tmp_path, size=SIZE)) == 3
        write(tmp_path / "1.json", b"{")
        with pytest.raises(UserError, match=r"1\.json: broken JSON"):
            read_poses(tmp_path, size=SIZE)


class TestPeopleAsDictionaries:
    def people(self, frame: np.ndarray, shift: float = 0.0) -> dict[str, Any]:
        return {"keypoints": (frame[:, :2] + shift).tolist(), "keypoint_scores": frame[:, 2].tolist()}

    def test_a_folder_of_mmposes(self, tmp_path: Path, signer: PoseSequence) -> None:
        for number, frame in enumerate(signer.keypoints):
            write(tmp_path / f"{number:06d}.json", [] if number == 3 else [self.people(frame)])
        poses = read_poses(tmp_path, size=SIZE)
        assert not poses.present[3].any()
        assert_same(poses[:3], signer)

    def test_the_first_mmpose(self, tmp_path: Path, signer: PoseSequence) -> None:
        frames = [[{"bbox": [0, 0, 9, 9, 1], "keypoints": frame.tolist()}] for frame in signer.keypoints]
        assert_same(read_poses(write(tmp_path / "a.json", frames), size=SIZE), signer)
        arrays = [[{"keypoints": frame}] for frame in signer.keypoints]
        assert_same(read_poses(write(tmp_path / "a.pkl", pickle.dumps(arrays)), size=SIZE), signer)

    def test_frames_that_mmpose_leaves_out(self, tmp_path: Path, signer: PoseSequence) -> None:
        frames = [{"frame_id": i, "instances": [self.people(signer.keypoints[i])]} for i in (0, 1, 4)]
        with pytest.warns(InputWarning, match=r"2 of 5 frames are missing \(number 2, 3\)"):
            poses = read_poses(write(tmp_path / "a.json", {"instance_info": frames}), size=SIZE)
        assert np.allclose(poses.keypoints[[0, 1, 4]], signer.keypoints[[0, 1, 4]])

    @pytest.mark.parametrize("image", ["{}.jpg", "frame_{:05d}.png", "{}"])
    def test_alphapose(self, tmp_path: Path, signer: PoseSequence, image: str) -> None:
        results = [
            {"image_id": image.format(i), "category_id": 1, "score": 2.9, "keypoints": (frame + shift).ravel().tolist()}
            for i, frame in enumerate(signer.keypoints)
            for shift in ((0, 0, 0), (400, 0, 0))
        ]
        poses = read_poses(write(tmp_path / "alphapose-results.json", results), size=SIZE, person="left")
        assert_same(poses, signer)

    def test_coco_results_of_the_whole_body(self, tmp_path: Path, signer: PoseSequence) -> None:
        parts = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
        results = []
        for number, frame in enumerate(signer.keypoints):
            pieces = np.split(frame, np.cumsum(list(parts.values()))[:-1])
            own = {key: piece.ravel().tolist() for key, piece in zip(parts, pieces, strict=True)}
            results.append({"image_id": number, "score": 1.0, **own})
        assert_same(read_poses(write(tmp_path / "a.json", results), size=SIZE), signer)

    def test_nobody_in_any_frame(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="nobody is in any of its 2 frames"):
            read_poses(write(tmp_path / "a.json", [[], []]), size=SIZE)


class TestScoresApart:
    @pytest.mark.parametrize("name", ["scores", "keypoint_scores"])
    def test_two_arrays_of_several_people(self, tmp_path: Path, signer: PoseSequence, name: str) -> None:
        points = np.stack([signer.keypoints + np.float32((300, 0, 0)), signer.keypoints], 1)
        np.savez(tmp_path / "a.npz", keypoints=points[..., :2], **{name: points[..., 2]})
        assert_same(read_poses(tmp_path / "a.npz", size=SIZE, person="left"), signer)

    def test_lists_of_frames_with_more_and_less_people(self, tmp_path: Path, signer: PoseSequence) -> None:
        parts = signer.keypoints / np.float32((*SIZE, 1))
        frames = [np.stack([frame, frame + np.float32((2, 0, 0))][: 1 + i % 2]) for i, frame in enumerate(parts)]
        clip = {"keypoints": [f[..., :2] for f in frames], "scores": [f[..., 2] for f in frames]}
        with pytest.warns(InputWarning, match=r"normalised \(0\.\.1\)"):
            poses = read_poses(write(tmp_path / "a.pkl", pickle.dumps(clip)), size=SIZE, person="left")
        assert_same(poses, signer)

    def test_scores_of_another_shape_are_refused(self, tmp_path: Path, signer: PoseSequence) -> None:
        np.savez(tmp_path / "a.npz", keypoints=signer.positions, scores=signer.scores[:5])
        with pytest.raises(UserError, match="scores of shape"):
            read_poses(tmp_path / "a.npz", size=SIZE)

    def test_a_depth_is_no_score(self, tmp_path: Path, signer: PoseSequence) -> None:
        array = signer.keypoints.copy()
        array[..., 2] = np.linspace(-0.3, 0.2, 133)
        array[2, 5] = 0
        np.save(tmp_path / "a.npy", array)
        with pytest.warns(InputWarning, match="the third number of the points is a depth, not a score"):
            poses = read_poses(tmp_path / "a.npy", size=SIZE)
        assert poses.scores.sum() == 12 * 133 - 1

    def test_a_mark_for_what_is_missing_is_a_score(self, tmp_path: Path, signer: PoseSequence) -> None:
        array = signer.keypoints.copy()
        array[:, 100] = -1
        np.save(tmp_path / "a.npy", array)
        assert read_poses(tmp_path / "a.npy", size=SIZE).present.mean() == pytest.approx(132 / 133)


class TestDwpose:
    def frame(self, points: np.ndarray) -> dict[str, Any]:
        """(N, 133, 3) pixels as the dictionary of DWPose; the left wrist is not seen."""
        parts = points[..., :2] / SIZE
        bodies = np.full((len(points), 18, 2), -1.0)
        rows = np.full((len(points), 18), -1.0)
        for place, name in enumerate(NAMES_18):
            if name not in ("neck", "left_wrist"):
                bodies[:, place] = parts[:, NAMES_133.index(name)]
                rows[:, place] = 18 * np.arange(len(points)) + place
        return {
            "bodies": {"candidate": bodies.reshape(-1, 2), "subset": rows},
            "hands": np.concatenate([parts[:, 91:112], parts[:, 112:]]),
            "faces": parts[:, 23:91],
        }

    @pytest.mark.parametrize("many", [True, False])
    def test_dictionaries_are_one_clip(self, tmp_path: Path, signer: PoseSequence, many: bool) -> None:
        both = np.stack([signer.keypoints, signer.keypoints + np.float32((300, 0, 0))], 1)
        frames = [self.frame(people) for people in both]
        path = write(tmp_path / "a.pkl", pickle.dumps(frames if many else frames[0]))
        with pytest.warns(InputWarning, match=r"normalised \(0\.\.1\)"):
            poses = read_poses(path, size=SIZE, person="0")
        assert len(poses) == (12 if many else 1)
        seen = [*range(9), 10, *range(11, 17), *range(23, 133)]
        assert np.allclose(poses.positions[:, seen], signer.positions[: len(poses), seen], atol=1e-3)
        assert not poses.present[:, 9].any()

    @pytest.mark.parametrize("order", ["openpose", "coco"])
    def test_134_points_in_both_orders(self, tmp_path: Path, signer: PoseSequence, order: str) -> None:
        neck = signer.keypoints[:, 5:7].mean(1, keepdims=True)
        array = np.concatenate([signer.keypoints[:, :17], neck, signer.keypoints[:, 17:]], 1)
        if order == "openpose":
            names = [*NAMES_133[:17], "neck", *NAMES_133[17:]]
            array = array[:, [names.index(name) for name in DWPOSE_134]]
        np.save(tmp_path / "a.npy", array)
        assert_same(read_poses(tmp_path / "a.npy", size=SIZE), signer)
        np.save(tmp_path / "a.npy", array[:, ::-1])
        with pytest.raises(UserError, match="134 points a frame, but no neck between the shoulders"):
            read_poses(tmp_path / "a.npy", size=SIZE)


def test_halpe(tmp_path: Path, signer: PoseSequence) -> None:
    array = np.zeros((12, 136, 3), np.float32)
    for place, name in enumerate(HALPE_136):
        if name in NAMES_133:
            array[:, place] = signer.keypoints[:, NAMES_133.index(name)]
    np.save(tmp_path / "a.npy", array)
    assert_same(read_poses(tmp_path / "a.npy", size=SIZE), signer)


@pytest.mark.parametrize("words", [("pose_landmarks", "left_hand_landmarks"), ("poseLandmarks", "leftHandLandmarks")])
def test_mediapipe_json(tmp_path: Path, words: tuple[str, str]) -> None:
    frames = []
    for number in range(3):
        body = [{"x": 0.2 + 0.01 * i, "y": 0.5, "z": -0.1, "visibility": 0.8} for i in range(33)]
        hand = [{"x": 0.6, "y": 0.1 + 0.01 * i, "z": 0.0} for i in range(21)]
        frames.append({"frame": 2 * number, words[0]: body, words[1]: None if number == 1 else hand})
    with pytest.warns(InputWarning, match=r"normalised \(0\.\.1\)"):
        poses = read_poses(write(tmp_path / "a.json", frames), size=(100, 200))
    assert poses.keypoints[0, 5].tolist() == pytest.approx([31, 100, 0.8])  # left shoulder: landmark 11
    assert poses.keypoints[2, 91 + 20].tolist() == pytest.approx([60, 60, 1])
    assert poses.present[:, 91].tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.skels", r"rows of 151 numbers, as in the \.skels of Progressive Transformers"),
        ("a.pt", r"a file of torch\.save: load it in Python and keep its array by numpy\.save"),
        ("a.png", "not a pose file but an image"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, signer: PoseSequence, name: str, message: str) -> None:
    if name == "a.pt":
        torch.save(torch.from_numpy(signer.keypoints), tmp_path / name)
    elif name == "a.png":
        from PIL import Image

        Image.new("RGB", (8, 8)).save(tmp_path / name)
    else:
        (tmp_path / name).write_text("\n".join(" ".join(["0.12345"] * 151) for _ in range(3)))
    with pytest.raises(UserError, match=message):
        read_raw(tmp_path / name)
