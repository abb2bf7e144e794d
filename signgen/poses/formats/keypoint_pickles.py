"""Pickles of keypoints: HRNet's of a whole split, for MSKA and TwoStream; Uni-Sign's, DWPose's and mmpose's."""

from collections.abc import Mapping
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from signgen.errors import UserError
from signgen.io.safe_pickle import load_pickle
from signgen.poses.formats.dwpose_dictionaries import dwpose_poses, is_dwpose
from signgen.poses.formats.instances import SCORE_KEYS, instance_poses, is_instances
from signgen.poses.formats.point_arrays import as_points
from signgen.poses.formats.raw import RawPoses, Sequences

KEYS = ("keypoint", "keypoints")  # MSKA's, TwoStream's
POINTS = 133


def read_pickle(content: bytes | BinaryIO) -> Sequences:
    """A dict from name to keypoints (array, tensor, or a dict with them and their scores), or a list of dicts with
    names; or the frames of one clip, of DWPose or mmpose."""
    data = load_pickle(content, "pickle")
    if isinstance(data, list) and data and all(isinstance(e, dict) and isinstance(e.get("name"), str) for e in data):
        data = {entry["name"]: entry for entry in data}
    if isinstance(data, list) or is_dwpose(data) or (isinstance(data, dict) and any(key in data for key in KEYS)):
        data = {"": data}
    if not isinstance(data, dict) or not data or not all(isinstance(name, str) for name in data):
        raise UserError("the pickle must be a dict from name to keypoints, or a list of frames")
    return {name: partial(_sequence, entry) for name, entry in data.items()}


def _sequence(entry: Any) -> RawPoses:
    if is_dwpose(entry):
        return dwpose_poses([entry])
    if isinstance(entry, list) and entry and all(map(is_dwpose, entry)):
        return dwpose_poses(entry)
    if isinstance(entry, list) and entry and not isinstance(entry[0], np.ndarray) and is_instances(entry):
        return instance_poses(entry)
    scores = None
    if isinstance(entry, Mapping):
        scores = next((entry[key] for key in SCORE_KEYS if key in entry), None)
        entry = next((entry[key] for key in KEYS if key in entry), None)
        if entry is None:
            raise UserError("the entry has no keypoints")
    points = as_points(_array(entry), None if scores is None else _array(scores))
    if points.shape[-2] > POINTS:  # TwoStream appends points of its own
        points = points[..., :POINTS, :]
    return RawPoses.by_count("pickle", points)


def _array(values: Any) -> np.ndarray:
    """An array, a tensor, or a list of them, frame by frame, of as many people as there are in each."""
    if hasattr(values, "detach"):  # a tensor; torch need not be imported to find out
        return values.detach().float().numpy()
    if not isinstance(values, list | tuple):
        return values
    frames = [_array(frame) if hasattr(frame, "detach") else frame for frame in values]
    try:
        counts = {len(frame) for frame in frames}
        if len(counts) > 1 and all(isinstance(frame, np.ndarray) for frame in frames):
            frames = [np.concatenate([f, np.zeros((max(counts) - len(f), *f.shape[1:]))]) for f in frames]
        return np.array(frames, np.float64)
    except (TypeError, ValueError) as error:
        raise UserError("keypoints must be an array of numbers") from error
