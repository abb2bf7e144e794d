"""How a user's image meets the model's: a window of the image becomes the model's image, and comes back."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses import PoseSequence
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.video.image_arrays import resize_image

FITS = ("signer", "crop", "squash")

# Of the model's image: how wide the shoulders are, and at which height, in the clips that `mini` was trained on.
SHOULDERS, SHOULDER_HEIGHT = 0.45, 0.52
UPPER_BODY = [*range(11), *range(23, 133)]  # down to the wrists: legs need no room
# In widths of the shoulders, around the outermost points: hands are thicker than their bones, hair is above the face.
MARGIN, HAIR = 0.12, 0.4
FEATHER = 1 / 40  # of the window: how softly it goes over into the image around it


@dataclass(frozen=True)
class Framing:
    """window: (left, top, width, height) in pixels of the image; it may reach beyond the image's edges, where these
    are repeated. size: (height, width) of the model's images."""

    window: tuple[int, int, int, int]
    size: tuple[int, int]

    def canvas(self, frame: np.ndarray) -> np.ndarray:
        """The window of an image uint8 (H, W, 3), in its own pixels."""
        left, top, width, height = self.window
        rows = np.arange(top, top + height).clip(0, frame.shape[0] - 1)
        columns = np.arange(left, left + width).clip(0, frame.shape[1] - 1)
        return frame[rows[:, None], columns]

    def to_model(self, frame: np.ndarray) -> np.ndarray:
        """The window of an image uint8 (H, W, 3), squashed to the model's size."""
        return resize_image(self.canvas(frame), self.size)

    def poses_to_model(self, poses: PoseSequence) -> PoseSequence:
        """Poses in pixels of the image -> poses in pixels of the model's images."""
        left, top, width, height = self.window
        scale_x, scale_y = self.size[1] / width, self.size[0] / height
        return poses.transformed(scale_x, scale_y, -left * scale_x, -top * scale_y, (self.size[1], self.size[0]))

    def to_image(self, frame: np.ndarray, generated: np.ndarray) -> np.ndarray:
        """The image with its window replaced by what the model made of it, uint8 (H, W, 3) of any size."""
        left, top, width, height = self.window
        image = frame.copy()
        inside = (slice(max(0, -top), frame.shape[0] - top), slice(max(0, -left), frame.shape[1] - left))
        shown = resize_image(generated, (height, width))[inside]
        window = image[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
        weights = self._feathered(frame.shape[:2])[inside]
        window[:] = np.rint(window + weights * (shown.astype(np.float32) - window)) if weights.min() < 1 else shown
        return image

    def _feathered(self, size: tuple[int, int]) -> np.ndarray:
        """Weights (height, width, 1) of the window: 1, falling to 0 at edges that the image goes on behind."""
        left, top, width, height = self.window
        rows = _ramp(height, before=top > 0, after=top + height < size[0])
        columns = _ramp(width, before=left > 0, after=left + width < size[1])
        return np.minimum(rows[:, None], columns)[..., None]


def _ramp(length: int, before: bool, after: bool) -> np.ndarray:
    soft = max(1, round(length * FEATHER))
    place = np.arange(length, dtype=np.float32) + 0.5
    weights = np.ones(length, dtype=np.float32)
    if before:
        weights = np.minimum(weights, place / soft)
    return np.minimum(weights, (length - place) / soft) if after else weights


def frame_image(frame: np.ndarray, poses: PoseSequence, size: tuple[int, int], fit: str) -> Framing:
    """How an image uint8 (H, W, 3) with poses in its pixels meets a model of `size` (height, width).

    "squash": the whole image, whatever its shape (the published systems). "crop": the largest window of the model's
    shape, placed where the poses' points are. "signer": a window of the model's shape in which the signer is as large
    as in `mini`'s training, larger where the poses reach farther. The image stays as it is outside the window.
    """
    height, width = frame.shape[:2]
    if fit not in FITS:
        raise UserError(f"unknown fit {fit!r}: choose one of {', '.join(FITS)}")
    if fit == "squash":
        return Framing((0, 0, width, height), size)
    shoulders = _shoulders(poses) if fit == "signer" else None
    if shoulders is not None:
        return Framing(_signer_window(poses, shoulders, (width, height), size), size)
    scale = min(width / size[1], height / size[0])
    window_width, window_height = max(1, round(size[1] * scale)), max(1, round(size[0] * scale))
    (left, top), (right, bottom) = _reach(poses, (width, height))
    column = _placed((left + right - window_width) / 2, window_width, width)
    row = _placed((top + bottom - window_height) / 2, window_height, height)
    return Framing((column, row, window_width, window_height), size)


def _signer_window(
    poses: PoseSequence, shoulders: np.ndarray, image: tuple[int, int], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The window (left, top, width, height) at the model's scale; shoulders: x, y and width, pixels."""
    x, y, unit = shoulders
    low, high = _reach(poses, image, UPPER_BODY)
    low = np.maximum(low - unit * np.array([MARGIN, HAIR]), 0)
    high = np.minimum(high + unit * MARGIN, image)
    scale = max(unit / (SHOULDERS * size[1]), *((high - low) / (size[1], size[0])))
    width, height = round(size[1] * scale), round(size[0] * scale)
    left = float(np.clip(x - width / 2, high[0] - width, low[0]))
    top = float(np.clip(y - SHOULDER_HEIGHT * height, high[1] - height, low[1]))
    return _placed(left, width, image[0]), _placed(top, height, image[1]), width, height


def _placed(start: float, length: int, limit: int) -> int:
    """Where a window begins: inside the image if it fits, else centred on it."""
    return round(min(max(start, 0), limit - length)) if length <= limit else -((length - limit) // 2)


def _shoulders(poses: PoseSequence) -> np.ndarray | None:
    """Median x and y of the shoulders' middle, and their distance, pixels; None where they are never seen."""
    left, right = poses.keypoints[:, 5], poses.keypoints[:, 6]
    seen = (left[:, 2] > 0) & (right[:, 2] > 0)
    if poses.skeleton != COCO_WHOLEBODY or not seen.any():
        return None
    middle = (left + right)[seen, :2] / 2
    apart = np.linalg.norm((left - right)[seen, :2], axis=1)
    return np.median(np.column_stack([middle, apart]), axis=0) if np.median(apart) >= 1 else None


def _reach(poses: PoseSequence, size: tuple[int, int], kept: Any = ...) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the range in which the visible points inside the image lie, else the image's corners.

    kept: indices of the points that count.
    """
    keypoints = poses.keypoints[:, kept].reshape(-1, 3)
    points = keypoints[keypoints[:, 2] > 0][:, :2]
    points = points[((points >= 0) & (points < size)).all(axis=1)]
    if not len(points):
        return np.zeros(2), np.array(size, dtype=float)
    return points.min(axis=0), points.max(axis=0)


def poses_on_image(poses: PoseSequence, width: int, height: int) -> PoseSequence:
    """Poses in pixels of a width x height image.

    From an image of (nearly) the same shape they are scaled; from another shape they keep their proportions, are
    scaled to the image's height and centred.
    """
    scale_x, scale_y = width / poses.size[0], height / poses.size[1]
    if abs(scale_x / scale_y - 1) < 0.02:
        return poses.transformed(scale_x, scale_y, 0, 0, (width, height))
    shift = (width - poses.size[0] * scale_y) / 2
    return poses.transformed(scale_y, scale_y, shift, 0, (width, height))
