"""What can be tested without the optional estimators, and the real ones where they are installed."""

import sys
from pathlib import Path

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.poses import PoseSequence, align, read_poses
from signgen.poses.extraction import estimate_image, extract_poses, mediapipe_estimator, mmpose_estimator
from signgen.video import VideoReader, open_video


class Frames(VideoReader):
    """Three grey frames; each holds its number."""

    def __init__(self) -> None:
        self.size, self.fps = (64, 48), 12.5

    def __len__(self) -> int:
        return 3

    def __iter__(self):
        return iter(self.frames(range(3)))

    def frames(self, indices):
        return np.stack([np.full((48, 64, 3), number, np.uint8) for number in indices])


def centre(frame: np.ndarray) -> np.ndarray:
    """All points in the middle of what is seen; none in frame 1."""
    height, width, _ = frame.shape
    return np.tile([width / 2, height / 2, 0.0 if frame[0, 0, 0] == 1 else 0.9], (133, 1))


def test_every_frame_is_estimated_at_the_videos_rate():
    poses = extract_poses(Frames(), centre)
    assert (len(poses), poses.size, poses.fps, poses.skeleton) == (3, (64, 48), 12.5, "coco-wholebody-133")
    assert poses.positions[0, 0].tolist() == [32, 24]
    assert poses.present.all(1).tolist() == [True, False, True]


def test_a_persons_box_is_looked_into():
    poses = extract_poses(Frames(), centre, person=(30, 10, 20, 30))
    assert poses.positions[2, 7].tolist() == [40, 25]


def test_rough_poses_say_where_to_look():
    points = np.zeros((3, 133, 3), np.float32)
    points[0, 5], points[0, 6] = (20, 10, 1), (36, 26, 1)  # 16 pixels apart: a margin of two all around
    points[1, 5], points[1, 6] = (60, 40, 1), (70, 50, 1)  # leaves the image
    poses = extract_poses(Frames(), corner, person=PoseSequence(points, (64, 48), 25, "coco-wholebody-133"))
    assert poses.positions[:, 0].tolist() == [[18, 8], [58, 38], [0, 0]]
    with pytest.raises(UserError, match="2 rough poses for 3 frames"):
        extract_poses(Frames(), corner, person=PoseSequence(points[:2], (64, 48), 25, "coco-wholebody-133"))


def corner(frame: np.ndarray) -> np.ndarray:
    """All points in the upper left corner of what is seen."""
    return np.tile([0.0, 0.0, 1.0], (133, 1))


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, 0, 65, 5), (60, 0, 5, 5), (0, 0, 0, 5)])
def test_boxes_outside_the_image_are_refused(box):
    with pytest.raises(UserError, match="not inside the image, 64x48"):
        extract_poses(Frames(), centre, person=box)


def test_nobody_at_all_is_refused():
    with pytest.raises(UserError, match="nobody is found"):
        extract_poses(Frames(), lambda frame: np.zeros((133, 3)))
    with pytest.raises(UserError, match="nobody is found"):
        estimate_image(np.ones((48, 64, 3), np.uint8), centre)


def test_progress_sees_every_frame():
    seen = []

    def progress(frames, count, what):
        for frame in frames:
            seen.append((count, what))
            yield frame

    extract_poses(Frames(), centre, progress=progress)
    assert seen == [(3, "Extracting poses")] * 3


def test_a_network_is_loaded_once_for_all_clips_and_on_the_device_asked_for(monkeypatch):
    loaded = []
    imported = lambda config, checkpoint, device: loaded.append(device), None, Path("configs")
    monkeypatch.setattr("signgen.poses.extraction._import_mmpose", lambda: imported)
    for _ in range(3):
        with mmpose_estimator(checkpoint="once.pth", device="cpu:0"):
            pass
    assert loaded == ["cpu:0"]


@pytest.mark.parametrize(("estimator", "package"), [(mediapipe_estimator, "mediapipe"), (mmpose_estimator, "mmpose")])
def test_a_missing_package_says_how_to_install_it(monkeypatch, estimator, package):
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=rf"(?i){package} cannot be used .*pip install .*{package}"), estimator():
        pass


@pytest.mark.slow
def test_mediapipe_meets_the_published_poses(shared):
    """The real clip's .pose file was made by MediaPipe Holistic too."""
    pytest.importorskip("mediapipe.python.solutions.holistic", reason="MediaPipe is not installed")
    published = read_poses(shared / "real/sign-clip/clip.pose")
    with open_video(shared / "real/sign-clip/clip.mp4") as video, mediapipe_estimator() as estimate:
        poses = extract_poses(video, estimate)
        image = estimate_image(video[0], estimate)
    both = poses.present & published.present
    distance = np.linalg.norm(poses.positions - published.positions, axis=-1)
    assert np.median(distance[:, :11][both[:, :11]]) < 4  # body above the hips
    assert np.median(distance[:, 91:][both[:, 91:]]) < 4  # hands
    assert both[:, 91:].sum() > 0.8 * published.present[:, 91:].sum()
    assert align(published, image).size == (320, 240)


@pytest.mark.slow
def test_mmpose_runs_with_random_weights(shared):
    pytest.importorskip("mmpose", reason="mmpose is not installed")
    with mmpose_estimator(checkpoint=None) as estimate, open_video(shared / "real/sign-clip/clip.mp4") as video:
        poses = estimate_image(video[0], estimate)
    assert poses.keypoints.shape == (1, 133, 3)
    assert len(np.unique(poses.positions[0], axis=0)) > 66  # points of their own, wherever they are


@pytest.mark.slow
def test_mmpose_names_a_checkpoint_that_it_cannot_load(tmp_path):
    pytest.importorskip("mmpose", reason="mmpose is not installed")
    (tmp_path / "weights.pth").write_bytes(b"no weights")
    with (
        pytest.raises(UserError, match=r"mmpose cannot load .*weights\.pth"),
        mmpose_estimator(checkpoint=tmp_path / "weights.pth"),
    ):
        pass
