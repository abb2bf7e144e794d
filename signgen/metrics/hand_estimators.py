"""Finding the 21 points of a hand in a picture of it."""

from importlib.util import find_spec
from typing import Protocol

import numpy as np
from PIL import Image

from signgen.errors import UserError
from signgen.poses.extraction import INSTALL_MEDIAPIPE

JOINTS = 21
MIDDLE_KNUCKLE = 9


class HandEstimator(Protocol):
    """Named in every result that rests on it: its errors are in the numbers."""

    name: str

    def __call__(self, patch: np.ndarray) -> np.ndarray:
        """uint8 (S, S, 3), a hand in its middle -> all hands found in it, float (N, 21, 2): x, y in its pixels."""


class MediaPipeHands:
    """MediaPipe Hands of mediapipe 0.10.21, the last version whose package carries its models.

    Patches are enlarged to 300 px; its threshold is lowered to 0.1 because hands in motion blur score low.
    """

    name = "MediaPipe Hands 0.10.21, threshold 0.1, patch enlarged to 300 px"
    _SIDE = 300

    def __init__(self) -> None:
        if find_spec("mediapipe") is None:
            raise UserError(f"it needs a hand estimator: {INSTALL_MEDIAPIPE}")
        from mediapipe.python.solutions import hands

        self._hands = hands.Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.1)

    def __call__(self, patch: np.ndarray) -> np.ndarray:
        enlarged = Image.fromarray(patch).resize((self._SIDE, self._SIDE), Image.Resampling.BICUBIC)
        found = self._hands.process(np.asarray(enlarged)).multi_hand_landmarks or []
        points = [[(point.x, point.y) for point in hand.landmark] for hand in found]
        return np.array(points, float).reshape(-1, JOINTS, 2) * len(patch)
