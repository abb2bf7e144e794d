"""Fits the poses of one signer to the body of another."""

import numpy as np

from signgen.errors import UserError
from signgen.poses.sequence import PoseSequence
from signgen.poses.skeletons import COCO_WHOLEBODY, NAMES_18, NAMES_133

# A limb seen at an angle looks short; beyond these ratios its length says nothing about the body.
BONE_RATIO = (0.8, 1.25)
_HEAD = ["left_eye", "right_eye", "left_ear", "right_ear"]
# Bones from the middle outwards: where each starts (None: the neck) and ends, and what its end carries along.
_BONES: list[tuple[str | None, str, list[str]]] = [
    (None, "nose", _HEAD + NAMES_133[23:91]),
    ("left_shoulder", "left_elbow", ["left_wrist", *NAMES_133[91:112]]),
    ("left_elbow", "left_wrist", NAMES_133[91:112]),
    ("right_shoulder", "right_elbow", ["right_wrist", *NAMES_133[112:133]]),
    ("right_elbow", "right_wrist", NAMES_133[112:133]),
]


def align(poses: PoseSequence, reference: PoseSequence, bones: bool = False) -> PoseSequence:
    """Move and scale `poses` onto the signer whose pose is the first frame of `reference`.

    Shoulder width and neck of the median frame become the reference's; with `bones`, so do the lengths of head and
    arms, as far as the reference shows them. The result is in pixels of the reference's image.

    Raises UserError where shoulders are missing, or the skeletons differ.
    """
    if poses.skeleton != reference.skeleton:
        raise UserError(f"poses of {poses.skeleton} cannot be aligned to one of {reference.skeleton}")
    neck, width = _shoulders(poses, "the poses")
    target_neck, target_width = _shoulders(reference[:1], "the reference pose")
    scale = target_width / width
    shift = target_neck - neck * scale
    aligned = poses.transformed(scale, scale, shift[0], shift[1], reference.size)
    if not bones:
        return aligned
    keypoints = _with_bones(aligned, reference[:1])
    return PoseSequence(keypoints, reference.size, poses.fps, poses.skeleton)


def _shoulders(poses: PoseSequence, what: str) -> tuple[np.ndarray, float]:
    """The median neck (2,) and shoulder width over the frames that show both shoulders."""
    left, right = (poses.keypoints[:, _index(poses, f"{side}_shoulder")] for side in ("left", "right"))
    shown = (left[:, 2] > 0) & (right[:, 2] > 0)
    widths = np.linalg.norm(left[shown, :2] - right[shown, :2], axis=1)
    if not shown.any() or not np.median(widths) > 0:
        raise UserError(f"{what}: no frame shows both shoulders, so it cannot be aligned")
    return np.median((left[shown, :2] + right[shown, :2]) / 2, axis=0), float(np.median(widths))


def _with_bones(poses: PoseSequence, reference: PoseSequence) -> np.ndarray:
    """The keypoints with head and arm bones as long as the reference's, hands and face carried along."""
    original, moved = poses.positions, poses.keypoints.copy()
    for start, end, carried in _BONES:
        ratio = _length(reference, start, end) / _length(poses, start, end)
        if not np.isfinite(ratio):
            continue
        bone = original[:, _index(poses, end)] - _joint(original, poses, start)
        new_end = _joint(moved[..., :2], poses, start) + np.clip(ratio, *BONE_RATIO) * bone
        group = [_index(poses, name) for name in [end, *carried] if name in _names(poses)]
        shift = new_end - original[:, _index(poses, end)]
        moved[:, group, :2] = original[:, group] + shift[:, None]
    moved[~poses.present] = poses.keypoints[~poses.present]
    return moved


def _length(poses: PoseSequence, start: str | None, end: str) -> np.float64:
    """A bone's full length, as far as it is seen: nearly its longest in any frame; NaN where it is in none."""
    ends = [_index(poses, end)]
    ends += [_index(poses, name) for name in ([start] if start else ["left_shoulder", "right_shoulder"])]
    shown = (poses.keypoints[:, ends, 2] > 0).all(1)
    bone = poses.positions[shown, ends[0]] - _joint(poses.positions, poses, start)[shown]
    lengths = np.linalg.norm(bone, axis=1)
    return np.quantile(lengths, 0.9) if shown.any() and lengths.max() > 0 else np.float64(np.nan)


def _joint(positions: np.ndarray, poses: PoseSequence, name: str | None) -> np.ndarray:
    """(F, 2) a point, or the neck between the shoulders."""
    if name is not None:
        return positions[:, _index(poses, name)]
    return (positions[:, _index(poses, "left_shoulder")] + positions[:, _index(poses, "right_shoulder")]) / 2


def _names(poses: PoseSequence) -> list[str]:
    return NAMES_133 if poses.skeleton == COCO_WHOLEBODY else NAMES_18


def _index(poses: PoseSequence, name: str) -> int:
    return _names(poses).index(name)
