"""Pickles of HRNet's key points, one for a whole split, as MSKA and TwoStream use them."""

from collections.abc import Mapping
from functools import partial
from typing import Any, BinaryIO

import numpy as np

from signgen.errors import UserError
from signgen.io.safe_pickle import load_pickle
from signgen.poses.formats.raw import RawPoses, Sequences, as_points

KEYS = ("keypoint", "keypoints")  # MSKA's, TwoStream's
POINTS = 133


def read_pickle(content: bytes | BinaryIO) -> Sequences:
    """A dict from name to key points (array, tensor, or a dict with them), or a list of dicts with names."""
    data = load_pickle(content, "pickle")
    if isinstance(data, list) and all(isinstance(entry, dict) and isinstance(entry.get("name"), str) for entry in data):
        data = {entry["name"]: entry for entry in data}
    if not isinstance(data, dict) or any(key in data for key in KEYS):
        data = {"": data}
    if not data or not all(isinstance(name, str) for name in data):
        raise UserError("the pickle must be a dict from name to key points")
    return {name: partial(_sequence, entry) for name, entry in data.items()}


def _sequence(entry: Any) -> RawPoses:
    if isinstance(entry, Mapping):
        entry = next((entry[key] for key in KEYS if key in entry), None)
        if entry is None:
            raise UserError("the entry has no key points")
    if hasattr(entry, "detach"):  # a tensor; torch need not be imported to find out
        entry = entry.detach().float().numpy()
    if isinstance(entry, list):
        entry = _stacked(entry)
    points = as_points(entry)
    if points.shape[1] > POINTS:  # TwoStream appends points of its own
        points = points[:, :POINTS]
    return RawPoses.by_count("pickle", points)


def _stacked(frames: list) -> np.ndarray:
    try:
        return np.array(frames, np.float64)
    except (TypeError, ValueError) as error:
        raise UserError("key points must be an array of numbers") from error
