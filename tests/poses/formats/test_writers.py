from dataclasses import replace

import numpy as np
import pytest
from pose_format import Pose

from signgen.errors import UserError
from signgen.poses import PoseSequence, convert, read_poses, write_poses


@pytest.fixture
def partial(signer) -> PoseSequence:
    """With missing points, one of which keeps its position, and odd numbers."""
    keypoints = signer.keypoints + np.float32(1 / 3)
    keypoints[..., 2] = signer.scores
    keypoints[3:6, 91:112] = 0
    keypoints[2, 11] = [12.5, 300.25, 0]
    return replace(signer, keypoints=keypoints, fps=29.97)


@pytest.mark.parametrize("suffix", [".pose", ".npz"])
@pytest.mark.parametrize("skeleton", ["coco-wholebody-133", "openpose-18"])
def test_files_keep_every_number(tmp_path, partial, suffix, skeleton):
    poses = convert(partial, skeleton)
    write_poses(poses, tmp_path / f"a{suffix}")
    back = read_poses(tmp_path / f"a{suffix}")
    assert (back.keypoints == poses.keypoints).all()
    assert back.keypoints.dtype == np.float32
    assert (back.size, back.skeleton) == (poses.size, skeleton)
    assert back.fps == pytest.approx(29.97, abs=1e-5)


def test_openpose_json_keeps_the_points(tmp_path, partial):
    write_poses(partial, tmp_path / "clip")
    assert len(list((tmp_path / "clip").glob("clip_*_keypoints.json"))) == 12
    back = read_poses(tmp_path / "clip", size=partial.size)
    assert (back.keypoints[partial.present] == partial.keypoints[partial.present]).all()
    assert (back.present == partial.present).all()


def test_openpose_json_of_18_points_stays_18(tmp_path, signer):
    poses = convert(signer, "openpose-18")
    write_poses(poses, tmp_path / "clip")
    assert (read_poses(tmp_path / "clip", size=poses.size).keypoints == poses.keypoints).all()


def test_pose_format_reads_and_understands_the_file(tmp_path, signer):
    from pose_format.utils.generic import detect_known_pose_format

    write_poses(signer, tmp_path / "a.pose")
    pose = Pose.read((tmp_path / "a.pose").read_bytes())
    assert detect_known_pose_format(pose) == "coco_wholebody_133"
    assert pose.body.data.shape == (12, 1, 133, 2)
    assert (pose.header.dimensions.width, pose.header.dimensions.height) == (210, 260)
    wrist = pose.header.get_point_index("BODY", "right_wrist")
    assert np.allclose(pose.body.data[:, 0, wrist], signer.positions[:, 10])


def test_pose_format_reads_our_openpose_folder(tmp_path, signer):
    from pose_format.utils.openpose import load_openpose_directory

    write_poses(signer, tmp_path / "clip")
    pose = load_openpose_directory(str(tmp_path / "clip"), fps=25, width=210, height=260)
    wrist = pose.header.get_point_index("pose_keypoints_2d", "LWrist")
    assert np.allclose(pose.body.data[:, 0, wrist], signer.positions[:, 9])


@pytest.mark.parametrize("name", ["a.json", "a.mp4", "a.pkl"])
def test_other_names_are_refused_and_nothing_is_written(tmp_path, signer, name):
    with pytest.raises(UserError, match=r"poses are written to \*\.pose, \*\.npz, or a folder"):
        write_poses(signer, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_real_poses_survive(tmp_path, shared):
    poses = read_poses(shared / "real/sign-clip/clip.pose")
    write_poses(poses, tmp_path / "a.pose")
    assert (read_poses(tmp_path / "a.pose").keypoints == poses.keypoints).all()
