"""Converts between the two skeletons."""

import numpy as np

from signgen.errors import UserError
from signgen.poses.sequence import PoseSequence
from signgen.poses.skeletons import COCO_WHOLEBODY, NAMES_18, NAMES_133, OPENPOSE_18

# Where each of the 18 points is among the 133, a list as the neck is the middle of the shoulders.
SOURCES_18 = [
    [NAMES_133.index(source) for source in (["left_shoulder", "right_shoulder"] if name == "neck" else [name])]
    for name in NAMES_18
]


def convert(poses: PoseSequence, skeleton: str) -> PoseSequence:
    """To "coco-wholebody-133" or "openpose-18".

    133 to 18 drops feet, face and hands and puts the neck between the shoulders; 18 to 133 drops the neck and gives
    the other points score 0.
    """
    if skeleton == poses.skeleton:
        return poses
    if skeleton == OPENPOSE_18:
        keypoints = np.stack([_middle(poses.keypoints[:, sources]) for sources in SOURCES_18], 1)
    elif skeleton == COCO_WHOLEBODY:
        keypoints = np.zeros((len(poses), len(NAMES_133), 3), np.float32)
        for point, sources in enumerate(SOURCES_18):
            if len(sources) == 1:
                keypoints[:, sources[0]] = poses.keypoints[:, point]
    else:
        raise UserError(f"unknown skeleton {skeleton!r}: it must be {COCO_WHOLEBODY} or {OPENPOSE_18}")
    return PoseSequence(keypoints, poses.size, poses.fps, skeleton)


def as_read(poses: PoseSequence, skeleton: str) -> PoseSequence:
    """Poses for a model that is shown pose maps of `skeleton`. Raises UserError for 18 points where it reads 133: it
    would see neither hands nor face."""
    if skeleton == COCO_WHOLEBODY != poses.skeleton:
        raise UserError(f"this model reads whole-body poses ({COCO_WHOLEBODY}), not {poses.skeleton}")
    return convert(poses, skeleton)


def _middle(points: np.ndarray) -> np.ndarray:
    """(F, n, 3) -> (F, 3): the mean position with the lowest score; missing where one of the points is."""
    score = points[..., 2].min(1)
    middle = np.concatenate([points[..., :2].mean(1), score[:, None]], 1)
    return np.where(score[:, None] > 0, middle, np.float32(0))
