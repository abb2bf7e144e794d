"""JSON pose files, told apart by their structure, and folders with one file a frame."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from signgen.errors import UserError
from signgen.io.limits import parse_json
from signgen.poses.formats.coco_json import coco_sequences
from signgen.poses.formats.dwpose_dictionaries import dwpose_poses, is_dwpose
from signgen.poses.formats.instances import instance_poses, is_instances
from signgen.poses.formats.mediapipe_json import is_mediapipe, mediapipe_poses
from signgen.poses.formats.openpose_json import is_openpose, openpose_poses
from signgen.poses.formats.raw import Sequences
from signgen.poses.frame_numbers import numbers_in

# Each reads a list of frames; the numbers of the frames follow, where they are known.
READERS = (
    (is_openpose, openpose_poses),
    (is_mediapipe, mediapipe_poses),
    (is_dwpose, dwpose_poses),
    (is_instances, instance_poses),
)


def read_json(content: bytes) -> Sequences:
    """The JSON of OpenPose, DWPose, mmpose, AlphaPose or MediaPipe, COCO annotations or results."""
    data = parse_json(content)
    if isinstance(data, dict) and "annotations" in data and "images" in data:
        return coco_sequences(data)
    if isinstance(data, dict) and "instance_info" in data:
        data = data["instance_info"]
    for is_kind, read in READERS:
        if is_kind(data) or (isinstance(data, list) and data and all(map(is_kind, data))):
            return {"": partial(read, data if isinstance(data, list) else [data])}
    raise UserError(
        "the JSON is neither of OpenPose, DWPose, mmpose, AlphaPose (its default or `open` format) or MediaPipe, nor "
        "COCO annotations or results"
    )


def read_frames(contents: Mapping[str, bytes]) -> Sequences:
    """A folder's JSON files by name, one a frame, in order. UserError, naming the file, where one is broken."""
    frames = {name: _frame(name, content) for name, content in contents.items()}
    numbers = numbers_in([name.rsplit(".", 1)[0] for name in contents])
    for is_kind, read in READERS:
        others = [name for name, frame in frames.items() if not is_kind(frame)]
        if not others:
            return {"": partial(read, list(frames.values()), numbers)}
        if len(others) < len(frames):
            raise UserError(f"{others[0]} holds no frame such as {next(name for name in frames if name not in others)}")
    raise UserError(f"{next(iter(frames))} holds no frame of OpenPose, DWPose, mmpose or MediaPipe")


def _frame(name: str, content: bytes) -> Any:
    try:
        frame = parse_json(content)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    return frame[0] if isinstance(frame, list) and len(frame) == 1 and is_openpose(frame[0]) else frame
