"""JSON pose files, told apart by their structure, and folders with one file a frame."""

import json
from collections.abc import Sequence
from typing import Any

from signgen.errors import UserError
from signgen.poses.formats.coco_json import coco_sequences, is_mmpose, mmpose_poses
from signgen.poses.formats.openpose_json import is_openpose, openpose_poses
from signgen.poses.formats.raw import Sequences


def read_json(content: bytes) -> Sequences:
    """OpenPose's, DWPose's or mmpose's JSON, or COCO-WholeBody annotations."""
    return _sequences(parse_json(content))


def read_frames(contents: Sequence[bytes]) -> Sequences:
    """A folder's JSON files, one a frame, in order."""
    frames = []
    for number, content in enumerate(contents):
        data = parse_json(content)
        if isinstance(data, list) and len(data) == 1 and is_openpose(data[0]):
            data = data[0]
        if not is_openpose(data) and not is_mmpose(data):
            raise UserError(f"frame {number} is neither OpenPose's JSON nor mmpose's")
        frames.append(data)
    return _sequences(frames)


def parse_json(content: bytes) -> Any:
    """UserError for anything that is not JSON."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"broken JSON ({' '.join(str(error).split())})") from error


def _sequences(data: Any) -> Sequences:
    if isinstance(data, dict) and "annotations" in data and "images" in data:
        return coco_sequences(data)
    if is_openpose(data):
        data = [data]
    if isinstance(data, list) and data and is_openpose(data[0]):
        return {"": lambda: openpose_poses(data)}
    if is_mmpose(data) or (isinstance(data, list) and data and is_mmpose(data[0])):
        return {"": lambda: mmpose_poses(data)}
    raise UserError("the JSON is neither OpenPose's, mmpose's or DWPose's, nor COCO annotations")
