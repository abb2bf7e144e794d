"""Finding the 21 points of a hand in an image of it."""

from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np

from signgen.errors import UserError
from signgen.poses.extraction import INSTALL_MEDIAPIPE, Estimate, load_mmpose
from signgen.poses.skeletons import LEFT_HAND, RIGHT_HAND
from signgen.video.image_arrays import resize_image

JOINTS = 21
MIDDLE_KNUCKLE = 9


class HandEstimator(Protocol):
    """Named in every result that rests on it: its errors are in the numbers.

    whole_frame: whether it is given whole frames, not patches with a hand in their middle. on_cpu: whether it computes
    there whatever the device.
    """

    name: str
    whole_frame: bool
    on_cpu: bool

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 (H, W, 3), a patch or a frame -> all hands found in it, float (N, 21, 2): x, y in its pixels."""


class MediaPipeHands:
    """MediaPipe Hands of mediapipe 0.10.21, the last version whose package carries its models.

    Patches are enlarged to 300 px; its threshold is lowered to 0.1 because hands in motion blur score low.
    """

    name = "MediaPipe Hands 0.10.21, threshold 0.1, patch enlarged to 300 px"
    whole_frame, on_cpu = False, True
    _SIDE = 300

    def __init__(self) -> None:
        if find_spec("mediapipe") is None:
            raise UserError(f"it needs a hand estimator: {INSTALL_MEDIAPIPE}")
        from mediapipe.python.solutions import hands

        self._hands = hands.Hands(static_image_mode=True, max_num_hands=2, min_detection_confidence=0.1)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        enlarged = resize_image(image, (self._SIDE, self._SIDE))
        found = self._hands.process(enlarged).multi_hand_landmarks or []
        points = [[(point.x, point.y) for point in hand.landmark] for hand in found]
        return np.array(points, float).reshape(-1, JOINTS, 2) * len(image)


class WholeBodyHands:
    """Both hands of an estimator of COCO-WholeBody's 133 points, such as the HRNet of mmpose that the papers used.

    It gives points for hands that it does not see as well: those of a mean score below 0.3, mmpose's own threshold for
    drawing a point, count as not found.
    """

    whole_frame, on_cpu = True, False
    _THRESHOLD = 0.3

    def __init__(self, estimate: Estimate, name: str) -> None:
        self.name = f"{name}, whole frame, hands of a mean score of {self._THRESHOLD} and more"
        self._estimate = estimate

    def __call__(self, image: np.ndarray) -> np.ndarray:
        hands = self._estimate(image)[LEFT_HAND.start : RIGHT_HAND.stop].reshape(2, JOINTS, 3)
        return hands[hands[..., 2].mean(1) >= self._THRESHOLD, :, :2]


def mmpose_hands(checkpoint: Path, device: str) -> WholeBodyHands:
    """mmpose's whole-body HRNet-W48 with DARK decoding. Raises UserError where it cannot be had."""
    name = f"mmpose HRNet-W48 (DARK) whole-body, {checkpoint.name}"
    return WholeBodyHands(load_mmpose(None, checkpoint, device), name)
