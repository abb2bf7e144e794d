"""Random changes to training samples: those of FPDM, and a shift of colours.

Colours change alike in source and target; a flip mirrors source, target and pose.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from PIL import Image

from signgen.errors import UserError
from signgen.poses.skeletons import COCO_WHOLEBODY, FLIP

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601
MID_GREY = 127.5
HAND_POINTS = {COCO_WHOLEBODY: (slice(91, 112), slice(112, 133))}


@dataclass
class Augmentation:
    """How often, and how strongly, a training sample is changed. The defaults change nothing.

    FPDM as published: keypoint_jitter 1 (in a 375x550 image), flip 0.5, source_low_resolution 0.5,
    self_pairs 0.05.
    """

    keypoint_jitter: float = 0.0
    """Standard deviation of the noise on every present keypoint, pixels at training size."""
    flip: float = 0.0
    """Probability of mirroring the sample, left and right exchanged."""
    colour: float = 0.0
    """Probability of one random colour transform for source and target together."""
    colour_strength: float = 0.2
    """Largest relative change of brightness, contrast and saturation; hue: in half turns."""
    source_low_resolution: float = 0.0
    """Probability that the source has only half its resolution."""
    self_pairs: float = 0.0
    """Probability that the source frame is the target frame."""
    far_pairs: float = 0.0
    """Probability that two targets are drawn and the one whose pose is farther from the source's is taken."""
    missing_hand: float = 0.0
    """Probability that a hand's points are missing in a pose, for each hand by itself: detectors lose blurred hands."""
    soft: float = 0.0
    """Probability that source and target both have only half their resolution."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            limit = np.inf if field.name == "keypoint_jitter" else 1.0
            if not 0 <= value <= limit or not np.isfinite(value):
                raise UserError(f"augmentation.{field.name} is {value}; it must lie between 0 and {limit}")


def jitter_keypoints(keypoints: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise of `deviation` pixels to (K, 3) keypoints. Missing points stay missing."""
    noisy = keypoints.copy()
    noise = rng.standard_normal((len(keypoints), 2), dtype=np.float32) * np.float32(deviation)
    noisy[:, :2] += noise * (keypoints[:, 2:] > 0)
    return noisy


def drop_hands(keypoints: np.ndarray, probability: float, rng: np.random.Generator, skeleton: str) -> np.ndarray:
    """(K, 3) keypoints, each hand's missing with that probability; skeletons without hands stay as they are."""
    kept = keypoints.copy()
    for hand, missing in zip(HAND_POINTS.get(skeleton, ()), rng.random(2) < probability, strict=False):
        if missing:
            kept[hand, 2] = 0
    return kept


def pose_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean distance, pixels, of the points that both of two (K, 3) poses have; 0 where there are none."""
    both = (first[:, 2] > 0) & (second[:, 2] > 0)
    return float(np.linalg.norm((first - second)[both, :2], axis=1).mean()) if both.any() else 0.0


def flip_keypoints(keypoints: np.ndarray, width: int, skeleton: str) -> np.ndarray:
    """(K, 3) keypoints mirrored in an image `width` pixels wide, left and right exchanged."""
    flipped = keypoints[FLIP[skeleton]]
    flipped[:, 0] = np.where(flipped[:, 2] > 0, width - flipped[:, 0], flipped[:, 0])
    return flipped


def flip_frame(frame: np.ndarray) -> np.ndarray:
    """A uint8 (H, W, 3) frame mirrored left to right."""
    # several times as fast as copying numpy's reversed view; torch warns of arrays that are not writable
    return torch.from_numpy(np.require(frame, requirements="W")).flip(1).numpy()


def colour_transform(strength: float, rng: np.random.Generator) -> np.ndarray:
    """A random affine map (3, 4) of RGB in [0, 255]: hue, saturation, brightness, contrast."""
    hue, saturation, brightness, contrast = rng.uniform(-strength, strength, size=4)
    grey = np.broadcast_to(LUMA, (3, 3))
    saturate = (1 + saturation) * np.eye(3) + -saturation * grey
    gain = (1 + contrast) * (1 + brightness)
    matrix = gain * saturate @ _hue_rotation(np.pi * hue)
    return np.column_stack([matrix, np.full(3, -contrast * MID_GREY)])


def _hue_rotation(angle: float) -> np.ndarray:
    """Rotation of RGB space by `angle` about the grey axis (1, 1, 1) / sqrt 3, by Rodrigues' formula."""
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    return np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) / 3 * np.ones((3, 3))


def change_colours(frame: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """Applies a (3, 4) affine map to a uint8 (H, W, 3) frame, rounded and clipped."""
    return np.asarray(Image.fromarray(frame).convert("RGB", tuple(transform.ravel().tolist())))


def drop_resolution(frame: np.ndarray) -> np.ndarray:
    """A uint8 (H, W, 3) frame reduced to half its size by area and enlarged again bicubically."""
    image = Image.fromarray(frame)
    return np.asarray(image.reduce(2).resize(image.size, Image.Resampling.BICUBIC))
