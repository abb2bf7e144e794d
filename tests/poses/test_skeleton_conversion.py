import numpy as np
import pytest

from signgen.errors import UserError
from signgen.poses import convert
from signgen.poses.point_layouts import LAYOUT_OF_COUNT, MAP_MEDIAPIPE, MESH_OF_68, convert_points
from signgen.poses.skeletons import NAMES_18, NAMES_133


def test_133_to_18_puts_the_neck_between_the_shoulders(signer):
    poses = convert(signer, "openpose-18")
    assert poses.keypoints.shape == (12, 18, 3)
    assert np.allclose(poses.positions[:, 1], (signer.positions[:, 5] + signer.positions[:, 6]) / 2)
    assert (poses.keypoints[:, NAMES_18.index("right_wrist")] == signer.keypoints[:, 10]).all()
    assert (poses.keypoints[:, NAMES_18.index("left_ear")] == signer.keypoints[:, 3]).all()


def test_18_to_133_and_back_is_lossless(signer):
    poses = convert(signer, "openpose-18")
    whole = convert(poses, "coco-wholebody-133")
    assert (whole.keypoints[:, :17] == signer.keypoints[:, :17]).all()
    assert not whole.present[:, 17:].any()
    assert np.allclose(convert(whole, "openpose-18").keypoints, poses.keypoints)


def test_a_neck_without_both_shoulders_is_missing(signer):
    keypoints = signer.keypoints.copy()
    keypoints[:, 5, 2] = 0
    poses = convert(type(signer)(keypoints, signer.size, signer.fps, signer.skeleton), "openpose-18")
    assert (poses.keypoints[:, 1] == 0).all()


def test_converting_to_the_own_skeleton_changes_nothing(signer):
    assert convert(signer, signer.skeleton) is signer


def test_unknown_skeletons_are_refused(signer):
    with pytest.raises(UserError, match="unknown skeleton 'smpl'"):
        convert(signer, "smpl")


def test_every_point_map_sends_known_points_to_known_points():
    for count, (_, names, point_map) in LAYOUT_OF_COUNT.items():
        assert len(set(names)) == len(names) == count
        assert set(point_map) <= set(NAMES_133)
    assert len(set(MESH_OF_68)) == 68
    _, holistic, _ = LAYOUT_OF_COUNT[543]
    assert {source for sources in MAP_MEDIAPIPE.values() for source in sources} <= set(holistic)


def test_each_layout_fills_the_parts_it_has():
    filled = {}
    for count, (_, names, point_map) in LAYOUT_OF_COUNT.items():
        present = convert_points(np.ones((1, count, 3)), names, point_map)[0, :, 2] > 0
        filled[count] = [int(present[part].sum()) for part in
                         (slice(0, 17), slice(17, 23), slice(23, 91), slice(91, 112), slice(112, 133))]  # fmt: skip
    assert filled == {
        133: [17, 6, 68, 21, 21],
        17: [17, 0, 0, 0, 0],
        23: [17, 6, 0, 0, 0],
        18: [17, 0, 0, 0, 0],
        25: [17, 6, 0, 0, 0],
        67: [17, 6, 0, 21, 21],
        135: [17, 6, 68, 21, 21],
        26: [17, 6, 0, 0, 0],
        33: [17, 4, 0, 0, 0],
        75: [17, 4, 0, 21, 21],
        136: [17, 6, 68, 21, 21],
        137: [17, 6, 68, 21, 21],
        543: [17, 4, 68, 21, 21],
        553: [17, 4, 68, 21, 21],
    }


def test_points_from_missing_sources_are_missing():
    _, names, point_map = LAYOUT_OF_COUNT[135]
    points = np.ones((1, 135, 3))
    points[:, list(names).index("left_wrist")] = [5, 5, 0]
    converted = convert_points(points, names, point_map)
    assert (converted[0, [9, 91]] == 0).all()
    assert converted[0, 112, 2] == 1
