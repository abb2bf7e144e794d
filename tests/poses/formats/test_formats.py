"""Each format by a small file of our own making, and the real files where they are present."""

import gzip
import json
import pickle
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.errors import UserError
from signgen.poses import read_pose_maps, read_poses
from signgen.poses.formats.detect import read_raw
from signgen.poses.skeletons import LEFT_HAND, NAMES_18, RIGHT_HAND

SIZE = (210, 260)


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def person(body=25, face=0, left=0, right=0, x=1.0, extent=10.0):
    """An OpenPose person whose points lie on a diagonal from x, x."""

    def points(count):
        return [v for i in range(count) for v in (x + i * extent / 25, x + i * extent / 25, 0.5)]

    return {
        "pose_keypoints_2d": points(body),
        "face_keypoints_2d": points(face),
        "hand_left_keypoints_2d": points(left),
        "hand_right_keypoints_2d": points(right),
    }  # fmt: skip


class TestArrays:
    def test_an_array_of_frames(self, tmp_path, signer):
        np.save(tmp_path / "a.npy", signer.keypoints)
        assert (read_poses(tmp_path / "a.npy", size=SIZE).keypoints == signer.keypoints).all()

    def test_a_single_frame_without_scores(self, tmp_path, signer):
        array = signer.positions[0].astype(np.float16)
        array[3] = 0
        np.save(tmp_path / "a.npy", array)
        poses = read_poses(tmp_path / "a.npy", size=SIZE, fps=50)
        assert poses.scores[0].sum() == 132
        assert poses.fps == 50

    def test_an_archive_of_clips_needs_a_name(self, tmp_path, signer):
        path = tmp_path / "a.npz"
        np.savez(path, one=signer.keypoints, two=signer.keypoints[:3])
        assert len(read_poses(path, name="two", size=SIZE)) == 3
        assert len(read_poses(f"{path}::two", size=SIZE)) == 3
        with pytest.raises(UserError, match=r"a.npz: it holds 2 sequences \(one, two\): select one by FILE::NAME"):
            read_poses(path, size=SIZE)
        with pytest.raises(UserError, match="it holds no sequence called 'three'"):
            read_poses(f"{path}::three", size=SIZE)

    def test_an_archive_of_one_clip_needs_none(self, tmp_path, signer):
        np.savez(tmp_path / "a.npz", one=signer.keypoints)
        assert len(read_poses(tmp_path / "a.npz", size=SIZE)) == 12

    @pytest.mark.parametrize("shape", [(2, 44, 3), (133,), (2, 133, 4), (0, 133, 3), (2, 3, 44, 3)])
    def test_other_shapes_are_refused(self, tmp_path, shape):
        np.save(tmp_path / "a.npy", np.zeros(shape))
        with pytest.raises(UserError, match=r"a\.npy: "):
            read_poses(tmp_path / "a.npy", size=SIZE)

    def test_object_arrays_are_refused(self, tmp_path):
        np.save(tmp_path / "a.npy", np.array([{}]), allow_pickle=True)
        with pytest.raises(UserError, match="broken numpy array"):
            read_poses(tmp_path / "a.npy", size=SIZE)

    def test_without_a_size_it_says_what_is_missing(self, tmp_path, signer):
        np.save(tmp_path / "a.npy", signer.keypoints)
        with pytest.raises(UserError, match="does not say how large the image was"):
            read_poses(tmp_path / "a.npy")


class TestPickles:
    @pytest.mark.parametrize("key", ["keypoint", "keypoints"])
    @pytest.mark.parametrize("make", [torch.from_numpy, np.asarray, np.ndarray.tolist])
    def test_split_files(self, tmp_path, signer, key, make):
        entry = {"name": "train/a", "gloss": "X", "num_frames": 12, key: make(signer.keypoints)}
        path = write(tmp_path / "keypoints.train", pickle.dumps({"train/a": entry, "train/b": entry}))
        assert np.array_equal(read_poses(f"{path}::train/a", size=SIZE).keypoints, signer.keypoints)
        assert np.array_equal(read_poses(f"{path}::a", size=SIZE).keypoints, signer.keypoints)

    def test_gzip_and_more_than_133_points(self, tmp_path, signer):
        more = np.concatenate([signer.keypoints, np.ones((12, 3, 3), np.float32)], 1)
        path = write(tmp_path / "k", gzip.compress(pickle.dumps([{"name": "a", "keypoints": more}])))
        assert np.array_equal(read_poses(path, size=SIZE).keypoints, signer.keypoints)

    def test_label_files_hold_no_points(self, tmp_path):
        path = write(tmp_path / "labels", pickle.dumps([{"name": "a", "gloss": "X"}]))
        with pytest.raises(UserError, match="labels: the entry has no keypoints"):
            read_poses(path, size=SIZE)


class TestOpenPose:
    def test_one_file_a_frame_in_order_of_the_numbers(self, tmp_path):
        for number in (10, 9, 100):
            write(tmp_path / f"clip_{number}_keypoints.json", {"people": [person(x=float(number))]})
        poses = read_poses(tmp_path, size=SIZE)
        assert poses.skeleton == "coco-wholebody-133"
        assert poses.positions[:, 0, 0].tolist() == [9, 10, 100]

    def test_parts_that_were_not_looked_for_are_missing(self, tmp_path):
        path = write(tmp_path / "a.json", {"people": [person(face=70, left=21)]})
        present = read_poses(path, size=SIZE).present[0]
        assert present[:91].all()
        assert present[LEFT_HAND].all()
        assert not present[RIGHT_HAND].any()

    def test_18_points_alone_stay_18(self, tmp_path):
        path = write(tmp_path / "a.json", [{"people": [person(body=18)]}] * 3)
        poses = read_poses(path, size=SIZE)
        assert poses.skeleton == "openpose-18"
        assert len(poses) == 3

    def test_18_points_with_hands_become_133(self, tmp_path):
        path = write(tmp_path / "a.json", [{"people": [person(body=18, right=21)]}])
        assert read_poses(path, size=SIZE).present[0, [0, 16, 112, 132]].all()

    def test_the_largest_person_is_taken_and_no_person_is_missing(self, tmp_path):
        frames = [{"people": [person(x=5), person(x=50, extent=60)]}, {"people": []}]
        poses = read_poses(write(tmp_path / "a.json", frames), size=SIZE)
        assert poses.positions[0, 0, 0] == 50
        assert not poses.present[1].any()

    def test_dwpose_writes_the_canvas(self, tmp_path):
        frames = [{"people": [person(body=24)], "canvas_width": 480, "canvas_height": 720}]
        poses = read_poses(write(tmp_path / "a.json", frames))
        assert poses.size == (480, 720)
        assert poses.present[0, :23].all()

    def test_a_hand_that_lacks_a_point_is_refused(self, tmp_path):
        path = write(tmp_path / "a.json", {"people": [person(right=20)]})
        with pytest.raises(UserError, match="person 0: hand_right_keypoints_2d has 60 numbers, not 0 or 63"):
            read_poses(path, size=SIZE)


class TestCocoAndMmpose:
    def coco(self, sizes):
        return {
            "images": [{"id": i, "file_name": f"{i}.jpg", "width": w, "height": h} for i, (w, h) in enumerate(sizes)],
            "annotations": [
                {"image_id": 1, "keypoints": [5, 6, 2] * 17, "lefthand_kpts": [7, 8, 1] * 21, "lefthand_valid": False},
                {"image_id": 1, "keypoints": [1, 2, 1, 90, 90, 1] + [3, 4, 2] * 15, "face_kpts": [7, 8, 1] * 68},
            ],
        }

    def test_images_of_one_size_are_a_sequence(self, tmp_path):
        poses = read_poses(write(tmp_path / "a.json", self.coco([(64, 48)] * 2)))
        assert (len(poses), poses.size) == (2, (64, 48))
        assert not poses.present[0].any()
        assert poses.keypoints[1, 0].tolist() == [1, 2, 1]  # of the person that is larger
        assert poses.present[1].sum() == 17 + 68

    def test_images_of_several_sizes_are_selected_by_name(self, tmp_path):
        path = write(tmp_path / "a.json", self.coco([(64, 48), (48, 64)]))
        assert read_poses(f"{path}::1.jpg").size == (48, 64)
        with pytest.raises(UserError, match="select one by FILE::NAME"):
            read_poses(path)

    @pytest.mark.parametrize("nest", ["instance_info", "frames", "one frame"])
    def test_mmpose(self, tmp_path, signer, nest):
        frames = [
            {"frame_id": i, "instances": [{"keypoints": f[:, :2].tolist(), "keypoint_scores": f[:, 2].tolist()}]}
            for i, f in enumerate(signer.keypoints)
        ]
        data = {"instance_info": {"instance_info": frames}, "frames": frames, "one frame": frames[0]["instances"]}[nest]
        poses = read_poses(write(tmp_path / "a.json", data), size=SIZE)
        assert np.allclose(poses.keypoints, signer.keypoints[: len(poses)])
        assert len(poses) == (1 if nest == "one frame" else 12)

    @pytest.mark.parametrize(
        "data",
        [
            *({}, [], 3, [[]], {"people": 3}, {"instances": [3]}, [{"keypoints": [[1, 2]]}]),
            *({"images": [], "annotations": []}, {"images": [{}], "annotations": []}),
        ],
    )
    def test_other_json_is_refused(self, tmp_path, data):
        with pytest.raises(UserError, match=r"a\.json: "):
            read_poses(write(tmp_path / "a.json", data), size=SIZE)


class TestDeepFashion:
    X, Y = [40 + 2 * i for i in range(17)] + [-1], [3 * i for i in range(17)] + [-1]

    def check(self, poses):
        assert poses.skeleton == "openpose-18"
        assert poses.size == (176, 256)
        assert poses.positions[0, :17].tolist() == [[2 * i, 3 * i] for i in range(17)]
        assert poses.present[0].tolist() == [True] * 17 + [False]

    def test_rows_of_x_and_y(self, tmp_path):
        rows = "".join(f"{x:.18e} {y:.18e}\n" for x, y in zip(self.X, self.Y, strict=True))
        self.check(read_poses(write(tmp_path / "a.txt", rows.encode())))

    def test_lines_of_name_y_and_x(self, tmp_path):
        text = f"name:keypoints_y:keypoints_x\nb.jpg: {self.Y}: {self.X}\na.jpg: {self.Y}: {self.X}\n"
        self.check(read_poses(f"{write(tmp_path / 'a.csv', text.encode())}::a.jpg"))

    def test_seventeen_points_are_refused(self, tmp_path):
        with pytest.raises(UserError, match="17 x and 17 y, where 18 points are needed"):
            read_poses(write(tmp_path / "a.txt", b"1 2\n" * 17))


class TestPoseFiles:
    """Headers made by hand: pose-format writes version 0.2 only."""

    COMPONENTS = (("POSE_LANDMARKS", ["NOSE", "LEFT_WRIST"]), ("RIGHT_HAND_LANDMARKS", [str(i) for i in range(21)]))

    def header(self, version, components=COMPONENTS):
        def text(string):
            return struct.pack("<H", len(string)) + string.encode()

        content = struct.pack("<fHHHH", version, 640, 480, 0, len(components))
        for name, points in components:
            content += text(name) + text("XYZC") + struct.pack("<HHH", len(points), 0, 0)
            content += b"".join(map(text, points))
        return content

    def body(self, version, frames):
        """Point k of frame f of person p at x = 100 p + f + k."""
        grid = [[[[100 * p + f + k, 7, 0] for k in range(23)] for p in range(2)] for f in range(frames)]
        data = np.array(grid, np.float32)
        data[:, 1, :, 1] += np.arange(23)  # the second person is larger
        scores = np.full((frames, 2, 23), 0.5, np.float32)
        if version == 0.0:
            content = struct.pack("<HH", 30, frames)
            for f in range(frames):
                content += struct.pack("<H", 2)
                for p in (1, 0):  # pose-format keeps the first person only
                    content += struct.pack("<h", p) + np.concatenate([data[f, p], scores[f, p, :, None]], 1).tobytes()
            return content
        start = struct.pack("<HHH", 30, frames, 2) if version == 0.1 else struct.pack("<fIH", 30, frames, 2)
        return start + data.tobytes() + scores.tobytes()

    @pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
    def test_all_versions(self, tmp_path, version):
        poses = read_poses(write(tmp_path / "a.pose", self.header(version) + self.body(version, 3)))
        assert (poses.size, poses.fps, len(poses)) == ((640, 480), 30, 3)
        assert poses.positions[:, 0, 0].tolist() == [100, 101, 102]  # nose
        assert poses.positions[2, 9].tolist() == [103, 8]  # left wrist
        assert poses.positions[1, RIGHT_HAND, 0].tolist() == [103 + k for k in range(21)]
        assert poses.present.sum() == 3 * 23

    def test_many_frames_overflow_the_counter_of_version_0_1(self, tmp_path):
        frames = 65536 + 3
        hand = (("RIGHT_HAND_LANDMARKS", [str(i) for i in range(21)]),)
        content = self.header(0.1, hand) + struct.pack("<HHH", 30, 3, 1) + bytes(frames * 21 * 16)
        assert len(read_poses(write(tmp_path / "a.pose", content))) == frames

    @pytest.mark.parametrize("version", [0.0, 0.1, 0.2])
    def test_files_that_were_cut_off_are_refused(self, tmp_path, version):
        content = self.header(version) + self.body(version, 3)
        for end in {*range(1, len(content), 53), len(content) - 1}:
            with pytest.raises(UserError, match=r"a\.pose: "):
                read_poses(write(tmp_path / "a.pose", content[:end]))

    def test_unknown_components_are_named(self, tmp_path):
        content = self.header(0.2, (("SMPL", ["a"]),)) + struct.pack("<fIH", 30, 1, 1) + bytes(16)
        with pytest.raises(UserError, match="unknown components: SMPL"):
            read_poses(write(tmp_path / "a.pose", content))

    def test_no_frames(self, tmp_path):
        with pytest.raises(UserError, match="no frames"):
            read_poses(write(tmp_path / "a.pose", self.header(0.2) + struct.pack("<fIH", 30, 0, 1)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"hello world", "not a pose file of any known format"),
        (b"\xff\xfe\x00", "not a pose file of any known format"),
        (b"\x00\x00\x00\x20ftypisom", "a video holds no keypoints"),
        (b"\x1f\x8b garbage", "broken gzip file"),
        (b"PK\x03\x04 garbage", "broken archive"),
        (b"\x93NUMPY garbage", "broken numpy array"),
        (b"{garbage", "broken JSON"),
        (b"\x80\x04garbage", "broken pickle"),
    ],
)
def test_what_is_no_pose_file_is_refused(tmp_path, content, message):
    with pytest.raises(UserError, match=rf"a: .*{message}"):
        read_poses(write(tmp_path / "a", content), size=SIZE)


def test_missing_files_and_empty_folders(tmp_path):
    with pytest.raises(UserError, match=r"none\.pose: .*No such file"):
        read_poses(tmp_path / "none.pose")
    with pytest.raises(UserError, match="holds no JSON files of poses"):
        read_poses(tmp_path)


def test_files_that_change_are_read_anew(tmp_path, signer):
    np.save(tmp_path / "a.npy", signer.keypoints)
    assert len(read_poses(tmp_path / "a.npy", size=SIZE)) == 12
    np.save(tmp_path / "a.npy", signer.keypoints[:5])
    assert len(read_poses(tmp_path / "a.npy", size=SIZE)) == 5


def test_drawn_poses_are_images(tmp_path):
    for number, level in enumerate((50, 100, 150)):
        image = np.zeros((40, 30, 3), np.uint8)
        image[10:14] = level
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    with pytest.raises(UserError, match="images hold no keypoints"):
        read_poses(tmp_path, size=SIZE)
    drawn = read_pose_maps(tmp_path)
    assert (len(drawn), drawn.size, drawn.fps) == (3, (30, 40), 25)
    assert [image.max() for image in drawn[1:].images(20, 15)] == [100, 150]
    with pytest.raises(UserError, match="none is left"):
        drawn[5:]


def test_photographs_are_no_drawn_poses(tmp_path):
    Image.new("RGB", (30, 40), (90, 120, 200)).save(tmp_path / "0.png")
    with pytest.raises(UserError, match="no pose maps of poses"):
        read_pose_maps(tmp_path)


REAL = {
    "phoenix14t-fpdm/10December_2009_Thursday_heute_7944/keypoints.npz": ("npz", 31),
    "sign-clip/clip.pose": (".pose 0.1", 107),
    "pose-files/openpose.pose": (".pose 0.0", 93),
    "pose-files/testing-reduced.pose": (".pose 0.1", 91),
    "pose-files/mediapipe_hand_normalized.pose": (".pose 0.1", 170),
    "openpose-folder": ("OpenPose JSON", 175),
    "openpose-hands": ("OpenPose JSON", 2),
    "wholebody-json/test_coco_wholebody.json::000000040083.jpg": ("COCO-WholeBody JSON", 1),
    "deepfashion-sample/pose/WOMEN/Shorts/id_00005138/03_1_front.txt": ("DeepFashion keypoints", 1),
}


@pytest.mark.parametrize("path", REAL)
def test_real_files(shared, path):
    raw = read_raw(f"{shared}/real/{path}")
    assert (raw.format, len(raw.points)) == REAL[path]
    poses = read_poses(f"{shared}/real/{path}", size=SIZE)
    assert poses.present.any()
    assert len(poses.keypoints[0]) == (18 if raw.names == NAMES_18 else 133)


def test_the_real_file_with_a_point_too_few(shared):
    with pytest.raises(UserError, match="hand_right_keypoints_2d has 60 numbers"):
        read_poses(shared / "real/wholebody-json/last_frame.json")


def test_mediapipes_hands_meet_its_arms(shared):
    """In the real clip, each hand's wrist lies near the arm's of the same side."""
    poses = read_poses(shared / "real/sign-clip/clip.pose")
    for arm, hand in ((9, 91), (10, 112)):
        both = poses.present[:, arm] & poses.present[:, hand]
        distance = np.linalg.norm(poses.positions[both, arm] - poses.positions[both, hand], axis=1)
        assert np.median(distance) < 12
