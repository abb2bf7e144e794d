from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from signgen.errors import InputWarning, UserError
from signgen.poses import PoseSequence, driving, write_poses
from signgen.poses.driving import ESTIMATE, driving_poses, source_pose_of
from signgen.poses.extraction import ESTIMATORS, Estimate, MissingEstimator
from signgen.video import VideoWriter

IMAGE = np.zeros((80, 64, 3), np.uint8)


def pose(shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    """A pose (133, 3) with shoulders 20 pixels apart and a neck at (32, 30)."""
    points = np.full((133, 3), (32, 50, 1), np.float32)
    points[5], points[6] = (42, 30, 1), (22, 30, 1)
    points[:, :2] = points[:, :2] * scale + shift
    return points


def plain(frames: object, *_: object) -> object:
    return frames


@pytest.fixture
def file(tmp_path: Path) -> Path:
    keypoints = np.stack([pose(shift) for shift in (0, 6, 1, 7, 2, 8)])
    write_poses(PoseSequence(keypoints, (64, 80), 25.0, "coco-wholebody-133"), tmp_path / "poses.npz")
    return tmp_path / "poses.npz"


@pytest.fixture
def estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimator that finds the same pose, twice as large, in every image."""

    @contextmanager
    def estimator(device: str) -> Iterator[Estimate]:
        yield lambda frame: pose(scale=2.0) * ((frame.max() > 0), (frame.max() > 0), 1)

    monkeypatch.setitem(driving.ESTIMATORS, "mediapipe", estimator)


def test_frames_are_chosen_before_they_are_resampled(file: Path) -> None:
    poses, moments = driving_poses(file, IMAGE, plain, frames=slice(2, None), fps=50)
    assert (moments.count, moments.fps, moments.of(0), moments.of(3)) == (6, 25, 2, 3.5)
    assert (len(poses), poses.fps) == (8, 50)
    assert poses.keypoints[0, 5, 0] == pytest.approx(43)


def test_smoothing_steadies(file: Path) -> None:
    rough, _ = driving_poses(file, IMAGE, plain)
    smooth, _ = driving_poses(file, IMAGE, plain, smooth="savitzky-golay")
    change = [np.abs(np.diff(poses.keypoints[:, 5, 0])).mean() for poses in (rough, smooth)]
    assert change[1] < 0.7 * change[0]


def test_poses_are_fitted_to_the_signer_in_the_image(file: Path, tmp_path: Path) -> None:
    write_poses(PoseSequence(pose(scale=0.5)[None], (64, 80), 25.0, "coco-wholebody-133"), tmp_path / "first.npz")
    poses, _ = driving_poses(file, IMAGE, plain, align_to=tmp_path / "first.npz")
    width = np.linalg.norm(poses.keypoints[:, 5, :2] - poses.keypoints[:, 6, :2], axis=1)
    assert width == pytest.approx(np.full(6, 10))


@pytest.mark.usefixtures("estimated")
def test_poses_of_a_video_and_of_the_image_are_estimated(file: Path, tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "signer.mp4", 25, (64, 80)) as writer:
        for _ in range(3):
            writer.write(np.full((80, 64, 3), 200, np.uint8))
    poses, _ = driving_poses(tmp_path / "signer.mp4", IMAGE, plain)
    assert (len(poses), poses.size) == (3, (64, 80))
    bright = np.full((80, 64, 3), 200, np.uint8)
    aligned, _ = driving_poses(file, bright, plain, align_to=ESTIMATE)
    assert np.linalg.norm(aligned.keypoints[0, 5, :2] - aligned.keypoints[0, 6, :2]) == pytest.approx(40)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.npz"):
        driving_poses(tmp_path / "none.npz", IMAGE, plain)


def test_the_source_pose_is_the_poses_own_first_where_the_names_are_alike(file: Path, tmp_path: Path) -> None:
    own = source_pose_of(IMAGE, tmp_path / "poses.mp4", file, given=None, estimator="mediapipe")
    assert np.array_equal(own.keypoints[0], pose())


def test_without_an_estimator_the_first_pose_is_taken_and_said_to_be(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def missing(**_: object) -> Iterator[None]:
        raise MissingEstimator("MediaPipe cannot be used; install it")
        yield

    monkeypatch.setitem(ESTIMATORS, "mediapipe", missing)
    with pytest.warns(InputWarning, match=r"taken to be in the first pose of .*poses.npz; --source-pose gives another"):
        own = source_pose_of(IMAGE, tmp_path / "me.png", file, given=None, estimator="mediapipe")
    assert np.array_equal(own.keypoints[0], pose())
    given = source_pose_of(IMAGE, tmp_path / "me.png", tmp_path / "none", given=file, estimator="mediapipe")
    assert np.array_equal(given.keypoints[0], pose())


def test_otherwise_the_source_pose_is_estimated(file: Path, tmp_path: Path, estimated: None) -> None:
    own = source_pose_of(IMAGE, tmp_path / "me.png", file, given=None, estimator="mediapipe")
    assert not np.array_equal(own.keypoints[0], pose())
