"""A made-up signer, for tests of poses."""

import numpy as np
import pytest

from signgen.poses import PoseSequence
from signgen.poses.skeletons import FACE, LEFT_HAND, RIGHT_HAND

# x, y in an image of 210x260 of the 17 body and 6 feet points, legs in the image
BODY = """
105 60  112 54  98 54  120 57  90 57  140 100  70 100  155 150  55 150  140 180  70 180  125 190  85 190
124 220  86 220  124 250  86 250  130 256  134 254  122 256  80 256  76 254  88 256
""".split()


def hand(x: float, y: float) -> list[list[float]]:
    """21 points of an open hand that points up from the wrist at x, y."""
    tips = [(-12, -8), (-6, -22), (0, -24), (6, -22), (11, -18)]
    return [[x, y]] + [[x + dx * part, y + dy * part] for dx, dy in tips for part in (0.25, 0.5, 0.75, 1)]


def face(x: float, y: float) -> np.ndarray:
    """68 points: a jaw around x, y, the rest in rows inside it."""
    angles = np.linspace(np.pi, 0, 17)
    jaw = np.stack([x + 18 * np.cos(angles), y + 24 * np.sin(angles)], 1)
    rows = np.stack([x + 12 * np.sin(np.arange(51.0)), y - 10 + 0.5 * np.arange(51)], 1)
    return np.concatenate([jaw, rows])


@pytest.fixture
def signer() -> PoseSequence:
    """Twelve frames at 210x260, 25 fps: the right hand rises, the left one rests. Every point is present."""
    frames = np.ones((12, 133, 3), np.float32)
    frames[:, :23, :2] = np.array(BODY, float).reshape(23, 2)
    frames[:, FACE, :2] = face(105, 56)
    frames[:, LEFT_HAND, :2] = hand(140, 180)
    frames[:, RIGHT_HAND, :2] = hand(70, 180)
    rise = np.linspace(0, 90, 12, dtype=np.float32)[:, None]
    frames[:, RIGHT_HAND, 1] -= rise
    frames[:, [10], 1] -= rise
    frames[..., 2] = 0.9
    return PoseSequence(frames, (210, 260), 25.0, "coco-wholebody-133")
