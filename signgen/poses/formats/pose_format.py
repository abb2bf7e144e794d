"""The .pose format of pose-format, versions 0.0 to 0.2 (Moryossef et al. 2021, "pose-format")."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from signgen.errors import UserError, one_line
from signgen.poses import point_layouts
from signgen.poses.formats.raw import RawPoses, Sequences
from signgen.poses.point_layouts import LEFT_HAND_NAMES, RIGHT_HAND_NAMES, PointMap
from signgen.poses.skeletons import BODY_NAMES, FEET_NAMES, NAMES_18, NAMES_133

# The first four bytes of a file: its version, a little-endian float.
MAGIC = {struct.pack("<f", version): version for version in (0.0, 0.1, 0.2)}


def read_pose(content: bytes) -> Sequences:
    """Any .pose file whose components are those of COCO-WholeBody, MediaPipe Holistic or OpenPose, or some
    of them.
    """
    return {"": lambda: raw_poses(_parse(content))}


@np.errstate(invalid="ignore", over="ignore")  # what is no number is missing: `cleaned`
def raw_poses(pose: Any) -> RawPoses:
    """The poses of a `Pose` of pose-format."""
    layout, point_map = _family(pose.header.components)
    names = [point for component in pose.header.components for point in _point_names(component)]
    positions, scores = (
        np.asarray(pose.body.data.data, np.float64),
        np.asarray(pose.body.confidence, np.float64),
    )
    if not len(positions):
        raise UserError("the pose sequence is empty: it has no frames")
    points = np.concatenate([positions[..., :2], scores[..., None]], -1)
    if not points.size:
        raise UserError("the pose sequence is empty: it has no people")
    dimensions = pose.header.dimensions
    size = (dimensions.width, dimensions.height) if dimensions.width and dimensions.height else None
    fps = pose.body.fps if pose.body.fps > 0 else None
    return RawPoses(f".pose {pose.header.version:.1f}", layout, points, names, point_map, size, fps)


def _parse(content: bytes) -> Any:
    from pose_format.numpy import NumPyPoseBody
    from pose_format.pose import Pose
    from pose_format.pose_header import PoseHeader
    from pose_format.utils.reader import BufferReader

    reader = BufferReader(content)
    try:
        header = PoseHeader.read(reader)
        if not header.total_points():
            raise UserError("its header names no points")
        if any(not c.format.startswith("XY") or not c.format.endswith("C") for c in header.components):
            raise UserError("its points must have x, y and a score")
        _check_length(content[reader.read_offset :], header)
        return Pose(header, NumPyPoseBody.read(header, reader))
    except UserError:
        raise
    except Exception as error:  # pose-format checks nothing: struct, numpy and Unicode errors all come through
        raise UserError(f"broken .pose file ({one_line(error)})") from error


def _check_length(body: bytes, header: Any) -> None:
    """Check that the file is complete. Version 0.1 has only 16 bits for the number of frames, so pose-format uses the
    file's length instead. It would read a file that was cut off as a shorter one, and take positions for scores."""
    if round(header.version, 3) != 0.1:
        return
    _, frames, people = struct.unpack_from("<HHH", body)
    frame_bytes = 4 * people * header.total_points() * (header.num_dims() + 1)
    found, rest = divmod(len(body) - 6, frame_bytes)
    if rest or found % 65536 != frames:
        raise UserError(f"the file is cut off, or longer than it says: it should hold {frames} frames")


_HAND_NAMES = {
    "LEFT_HAND": LEFT_HAND_NAMES,
    "RIGHT_HAND": RIGHT_HAND_NAMES,
    "LEFT_HAND_LANDMARKS": LEFT_HAND_NAMES,
    "RIGHT_HAND_LANDMARKS": RIGHT_HAND_NAMES,
    "hand_left_keypoints_2d": LEFT_HAND_NAMES,
    "hand_right_keypoints_2d": RIGHT_HAND_NAMES,
}
# Components whose points come in a fixed order, whatever the file calls them.
_FIXED_NAMES: dict[str, Sequence[str]] = {
    **_HAND_NAMES,
    "BODY_18": NAMES_18,
    "BODY": BODY_NAMES + FEET_NAMES,
    "FACE": NAMES_133[23:91],
    "pose_keypoints_2d": point_layouts.BODY_25,
    "face_keypoints_2d": point_layouts.FACE_70,
    "BODY_135": point_layouts.OPENPOSE_135,
}


def _family(components: Sequence) -> tuple[str, PointMap]:
    """The layout's name in words, and its point map."""
    names = {component.name for component in components}
    if names & {"POSE_LANDMARKS", "FACE_LANDMARKS", "LEFT_HAND_LANDMARKS", "RIGHT_HAND_LANDMARKS"}:
        return "MediaPipe Holistic", point_layouts.MAP_MEDIAPIPE
    if names & {
        "pose_keypoints_2d",
        "face_keypoints_2d",
        "hand_left_keypoints_2d",
        "hand_right_keypoints_2d",
    }:
        return "OpenPose", point_layouts.IDENTITY_133
    if "BODY_18" in names:
        return "OpenPose COCO-18", point_layouts.IDENTITY_133
    if "BODY_135" in names:
        return "OpenPose 135", point_layouts.MAP_135
    if names & {"BODY", "LEFT_HAND", "RIGHT_HAND"}:
        return "COCO-WholeBody", point_layouts.IDENTITY_133
    raise UserError(f"unknown components: {', '.join(sorted(names))[:200]}")


def _point_names(component: Any) -> list[str]:
    """What `point_layouts` calls the points of a component, one name per point; "" for those it does not know."""
    fixed = _FIXED_NAMES.get(component.name)
    if fixed is not None:
        if len(component.points) != len(fixed):
            raise UserError(f"component {component.name} has {len(component.points)} points, not {len(fixed)}")
        return list(fixed)
    if component.name == "POSE_LANDMARKS":
        return list(component.points)
    if component.name == "FACE_LANDMARKS":
        return [f"mesh_{point}" for point in component.points]
    return [""] * len(component.points)
