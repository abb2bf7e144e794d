"""Varied motion: poses changed as signers differ, and no further than the sign and the handshape allow."""

from dataclasses import dataclass, replace

import numpy as np

from signgen.errors import UserError
from signgen.export.settings import Variation
from signgen.poses import PoseSequence
from signgen.poses.skeletons import COCO_WHOLEBODY, FACE, LEFT_HAND, RIGHT_HAND

# No finger bone turns by more than this: neighbouring handshapes differ by far more at some joint.
HANDSHAPE_DEGREES = 10.0
WANDERING_SECONDS = 0.2  # standard deviation of the window that makes noise slow
# COCO order: nose, eyes and ears move as one; elbows and wrists each by themselves, hands with their wrists.
HEAD, LEFT_ARM, RIGHT_ARM = slice(0, 5), (7, 9), (8, 10)
SHOULDERS = (5, 6)
PALM = 9  # the middle finger's knuckle, in a hand; its wrist is 0
# A hand's bones: wrist to the five finger roots, then along each finger.
HAND_BONES = np.array([(0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21)])


@dataclass(frozen=True)
class Motion:
    """What was drawn for one clip: factors of speed and size, degrees, shoulder widths, and a seed for the noise."""

    mirror: bool
    tempo: float
    rotation: float
    scale: float
    shift: tuple[float, float]
    noise: float
    hand_noise: float
    seed: int


def draw_motion(variation: Variation, rng: np.random.Generator) -> Motion:
    """One draw within a variation's limits: uniform, speed and size uniform in their logarithm."""
    tempo, rotation, scale, x, y = rng.uniform(-1, 1, 5)
    return Motion(
        mirror=variation.mirror,
        tempo=_rounded((1 + variation.tempo) ** tempo),
        rotation=_rounded(variation.rotation * rotation),
        scale=_rounded((1 + variation.scale) ** scale),
        shift=(_rounded(variation.shift * x), _rounded(variation.shift * y)),
        noise=variation.noise,
        hand_noise=variation.hand_noise,
        seed=int(rng.integers(2**32)),
    )


def _rounded(value: float) -> float:
    """To what the manifest shows, so that its numbers are those that were used; without a zero's sign."""
    return round(float(value), 6) + 0.0


def retime(poses: PoseSequence, motion: Motion, fps: float | None = None) -> PoseSequence:
    """Mirrored, and faster or slower by interpolation: before the poses are fitted to a signer.

    fps: of the result; the poses' own without it.
    """
    poses, fps = poses.flipped() if motion.mirror else poses, fps or poses.fps
    if fps == poses.fps and motion.tempo == 1:
        return poses
    return replace(poses, fps=poses.fps * motion.tempo).resampled(fps)


def displace(poses: PoseSequence, motion: Motion) -> PoseSequence:
    """Turned, scaled and shifted about the neck, then noise: after the poses are fitted to a signer.

    Raises UserError where no frame shows both shoulders, and for another skeleton.
    """
    if poses.skeleton != COCO_WHOLEBODY:
        raise UserError(f"export needs whole-body poses (coco-wholebody-133), not {poses.skeleton}")
    shown = poses.present[:, SHOULDERS].all(1)
    if not shown.any():
        raise UserError("no frame shows both shoulders")
    shoulders = np.median(poses.positions[shown][:, SHOULDERS], axis=0)
    neck, width = shoulders.mean(0), float(np.linalg.norm(shoulders[0] - shoulders[1]))
    angle = np.deg2rad(motion.rotation)
    turn = motion.scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    positions = (poses.positions - neck) @ turn.T + neck + np.array(motion.shift) * width
    rng = np.random.default_rng(motion.seed)
    if motion.noise:
        positions += _body_noise(poses, rng) * motion.noise * width * motion.scale
    if motion.hand_noise:
        for hand in (LEFT_HAND, RIGHT_HAND):
            positions[:, hand] += _hand_noise(positions[:, hand], poses.fps, motion.hand_noise, rng)
    keypoints = poses.keypoints.copy()
    keypoints[..., :2] = np.where(poses.present[..., None], positions, keypoints[..., :2])
    return replace(poses, keypoints=keypoints)


def wandering(frames: int, points: int, fps: float, rng: np.random.Generator) -> np.ndarray:
    """Slow normal noise of standard deviation 1, (frames, points, 2): white noise under a Gaussian window in time."""
    from scipy.ndimage import gaussian_filter1d  # half a second to import

    sigma = WANDERING_SECONDS * fps
    margin = int(4 * sigma) + 1  # so that the ends are as noisy as the middle
    white = rng.standard_normal((frames + 2 * margin, points, 2))
    impulse = np.zeros(2 * margin + 1)
    impulse[margin] = 1
    gain = np.linalg.norm(gaussian_filter1d(impulse, sigma, mode="constant"))
    return gaussian_filter1d(white, sigma, axis=0, mode="constant")[margin : margin + frames] / gain


def _body_noise(poses: PoseSequence, rng: np.random.Generator) -> np.ndarray:
    """(F, 133, 2): head and face as one, elbows, and wrists with their hands."""
    head, left_elbow, left_wrist, right_elbow, right_wrist = wandering(len(poses), 5, poses.fps, rng).swapaxes(0, 1)
    noise = np.zeros(poses.positions.shape)
    noise[:, HEAD] = noise[:, FACE] = head[:, None]
    for arm, elbow, wrist, hand in (
        (LEFT_ARM, left_elbow, left_wrist, LEFT_HAND),
        (RIGHT_ARM, right_elbow, right_wrist, RIGHT_HAND),
    ):
        noise[:, arm[0]], noise[:, arm[1]] = elbow, wrist
        noise[:, hand] = wrist[:, None]
    return noise


def _hand_noise(hand: np.ndarray, fps: float, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """(F, 21, 2): noise of `deviation` palm lengths on finger joints, cut so that the handshape stays.

    A bone of length L whose ends move by at most d each turns by at most asin(2 d / L): so each joint moves by at most
    d = L sin(HANDSHAPE_DEGREES) / 2 for the shortest bone L that ends there. The wrist stays.
    """
    palm = np.linalg.norm(hand[:, PALM] - hand[:, 0], axis=-1)[:, None, None]
    noise = wandering(len(hand), 21, fps, rng) * deviation * palm
    noise[:, 0] = 0
    lengths = np.linalg.norm(hand[:, HAND_BONES[:, 0]] - hand[:, HAND_BONES[:, 1]], axis=-1)
    shortest = np.full(hand.shape[:2], np.inf)
    for bone, ends in enumerate(HAND_BONES):
        for end in ends:
            shortest[:, end] = np.minimum(shortest[:, end], lengths[:, bone])
    limit = shortest * np.sin(np.deg2rad(HANDSHAPE_DEGREES)) / 2
    size = np.linalg.norm(noise, axis=-1)
    return noise * np.minimum(1, limit / np.maximum(size, 1e-9))[..., None]
