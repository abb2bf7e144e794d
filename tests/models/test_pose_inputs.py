import numpy as np
import pytest

from signgen.models.pose_inputs import MISSING, body_points, pose_inputs
from signgen.poses import PoseSequence, draw_pose
from signgen.poses.skeletons import NAMES_18, NAMES_133


@pytest.fixture
def poses() -> PoseSequence:
    rng = np.random.default_rng(0)
    keypoints = rng.uniform(0.1, 0.9, (3, 133, 3)) * (80, 100, 1)
    keypoints[1, NAMES_133.index("left_wrist")] = 0
    return PoseSequence(keypoints.astype(np.float32), (80, 100), 25.0, "coco-wholebody-133")


def test_points_are_shares_of_the_image_and_minus_one_where_missing(poses: PoseSequence) -> None:
    points = body_points(poses)
    assert points.shape == (3, 18, 2)
    assert points.dtype == np.float32
    nose = poses.keypoints[0, NAMES_133.index("nose"), :2] / (80, 100)
    assert np.allclose(points[0, NAMES_18.index("nose")], nose)
    wrist = NAMES_18.index("left_wrist")
    assert (points[1, wrist] == MISSING).all()
    assert (points[[0, 2]][:, wrist] > 0).all()


def test_the_size_of_the_image_does_not_matter_to_them(poses: PoseSequence) -> None:
    assert np.allclose(body_points(poses), body_points(poses.scaled_to((40, 25))), atol=1e-6)


def test_drawings_are_those_of_the_size_asked_for(poses: PoseSequence) -> None:
    inputs = pose_inputs(poses, (50, 40))
    assert inputs.pose_maps.shape == (3, 50, 40, 3)
    assert len(inputs) == 3
    assert np.array_equal(inputs.pose_maps[0], draw_pose(poses.scaled_to((40, 50)).keypoints[0], 50, 40))
