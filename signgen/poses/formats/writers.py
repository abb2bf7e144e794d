"""Writing poses: .pose, .npz, and folders of OpenPose JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder, atomic_path, check_writable
from signgen.poses.point_layouts import BODY_25
from signgen.poses.sequence import PoseSequence
from signgen.poses.skeletons import BODY_NAMES, COCO_WHOLEBODY, FACE, FEET_NAMES, LEFT_HAND, NAMES_18, RIGHT_HAND


def write_poses(poses: PoseSequence, path: str | Path) -> None:
    """Write to `path`: *.pose and *.npz are files; a name without a suffix is a folder of OpenPose JSON.

    Both files keep every number; OpenPose JSON keeps neither the image's size nor the frame rate. UserError for any
    other name.
    """
    check_output(path)
    path = Path(path)
    _WRITERS[path.suffix.lower()](poses, path)


def check_output(path: str | Path) -> None:
    """UserError unless poses can be written under such a name; for asking before the work is done."""
    if Path(path).suffix.lower() not in _WRITERS:
        raise UserError(f"{path}: poses are written to *.pose, *.npz, or a folder (a name without a suffix)")
    check_writable(Path(path), folder=not Path(path).suffix)


def _write_npz(poses: PoseSequence, path: Path) -> None:
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, keypoints=poses.keypoints, size=np.array(poses.size), fps=np.float64(poses.fps))


def _write_pose(poses: PoseSequence, path: Path) -> None:
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose import Pose
    from pose_format.pose_header import PoseHeader, PoseHeaderDimensions

    header = PoseHeader(0.2, PoseHeaderDimensions(*poses.size), _components(poses.skeleton))
    body = NumPyPoseBody(poses.fps, poses.positions[:, None], poses.scores[:, None])
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        Pose(header, body).write(file)


def _components(skeleton: str) -> list[Any]:
    from pose_format.pose_header import PoseHeaderComponent
    from pose_format.utils.cocowholebody133_header import cocowholebody_components

    if skeleton == COCO_WHOLEBODY:
        return cocowholebody_components()
    return [PoseHeaderComponent("BODY_18", NAMES_18, [], [], "XYC")]


def _write_openpose(poses: PoseSequence, path: Path) -> None:
    with atomic_folder(path) as temporary:
        for number, keypoints in enumerate(poses.keypoints):
            person = _person_133(keypoints) if poses.skeleton == COCO_WHOLEBODY else {"pose_keypoints_2d": keypoints}
            parts = {component: points.ravel().tolist() for component, points in person.items()}
            content = json.dumps({"version": 1.3, "people": [{"person_id": [-1], **parts}]})
            (temporary / f"{path.name}_{number:012d}_keypoints.json").write_text(content)


def _person_133(keypoints: np.ndarray) -> dict[str, np.ndarray]:
    """The 133 points (133, 3) as OpenPose's components; neck and middle of the hips lie between left and right."""
    named = dict(zip(BODY_NAMES + FEET_NAMES, keypoints, strict=False))
    named["neck"] = _middle(named["left_shoulder"], named["right_shoulder"])
    named["mid_hip"] = _middle(named["left_hip"], named["right_hip"])
    return {
        "pose_keypoints_2d": np.stack([named[name] for name in BODY_25]),
        "face_keypoints_2d": np.concatenate([keypoints[FACE], np.zeros((2, 3), np.float32)]),  # no pupils
        "hand_left_keypoints_2d": keypoints[LEFT_HAND],
        "hand_right_keypoints_2d": keypoints[RIGHT_HAND],
    }


def _middle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    score = min(a[2], b[2])
    return np.array([*(a[:2] + b[:2]) / 2, score]) if score > 0 else np.zeros(3)


_WRITERS = {".pose": _write_pose, ".npz": _write_npz, "": _write_openpose}
