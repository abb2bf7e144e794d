"""How a user's picture meets the model's: a window of the picture becomes the model's picture, and comes back."""

from dataclasses import dataclass

import numpy as np

from signgen.errors import UserError
from signgen.poses import PoseSequence
from signgen.video.image_arrays import resize_image

FITS = ("crop", "squash")


@dataclass(frozen=True)
class Framing:
    """window: (left, top, width, height) in pixels of the picture. size: (height, width) of the model's pictures."""

    window: tuple[int, int, int, int]
    size: tuple[int, int]

    def to_model(self, frame: np.ndarray) -> np.ndarray:
        """The window of a picture uint8 (H, W, 3), squashed to the model's size."""
        left, top, width, height = self.window
        return resize_image(frame[top : top + height, left : left + width], self.size)

    def poses_to_model(self, poses: PoseSequence) -> PoseSequence:
        """Poses in pixels of the picture -> poses in pixels of the model's pictures."""
        left, top, width, height = self.window
        scale_x, scale_y = self.size[1] / width, self.size[0] / height
        return poses.transformed(scale_x, scale_y, -left * scale_x, -top * scale_y, (self.size[1], self.size[0]))

    def to_picture(self, frame: np.ndarray, generated: np.ndarray, locked: np.ndarray | None = None) -> np.ndarray:
        """The picture with its window replaced by what the model generated, uint8 (H, W, 3).

        locked: uint8 (h, w) of the generated picture's size, how much of the window stays as it is, 255 all.
        """
        left, top, width, height = self.window
        picture = frame.copy()
        window = picture[top : top + height, left : left + width]
        window[:] = _blended(resize_image(generated, (height, width)), window, locked)
        return picture


def _blended(generated: np.ndarray, window: np.ndarray, locked: np.ndarray | None) -> np.ndarray:
    if locked is None:
        return generated
    weights = resize_image(locked, window.shape[:2])[..., None].astype(np.float32) / 255
    return np.rint(generated + weights * (window.astype(np.float32) - generated)).astype(np.uint8)


def frame_picture(frame: np.ndarray, poses: PoseSequence, size: tuple[int, int], fit: str) -> Framing:
    """How a picture uint8 (H, W, 3) with poses in its pixels meets a model of `size` (height, width).

    "squash": the whole picture, whatever its shape (the published systems). "crop": the largest window of the model's
    shape, placed where the poses' points are; the picture stays as it is outside.
    """
    height, width = frame.shape[:2]
    if fit not in FITS:
        raise UserError(f"unknown fit {fit!r}: choose one of {', '.join(FITS)}")
    if fit == "squash":
        return Framing((0, 0, width, height), size)
    scale = min(width / size[1], height / size[0])
    window_width, window_height = max(1, round(size[1] * scale)), max(1, round(size[0] * scale))
    centre_x, centre_y = _centre(poses, (width, height))
    left = int(np.clip(round(centre_x - window_width / 2), 0, width - window_width))
    top = int(np.clip(round(centre_y - window_height / 2), 0, height - window_height))
    return Framing((left, top, window_width, window_height), size)


def _centre(poses: PoseSequence, size: tuple[int, int]) -> tuple[float, float]:
    """Middle of the range in which the sequence's visible points inside the picture lie, else the picture's middle."""
    points = poses.keypoints[poses.keypoints[..., 2] > 0][:, :2]
    points = points[((points >= 0) & (points < size)).all(axis=1)]
    if not len(points):
        return size[0] / 2, size[1] / 2
    low, high = np.percentile(points, [1, 99], axis=0)
    return tuple((low + high) / 2)


def poses_on_picture(poses: PoseSequence, width: int, height: int) -> PoseSequence:
    """Poses in pixels of a width x height picture.

    From a picture of (nearly) the same shape they are scaled; from another shape they keep their proportions, are
    scaled to the picture's height and centred.
    """
    scale_x, scale_y = width / poses.size[0], height / poses.size[1]
    if abs(scale_x / scale_y - 1) < 0.02:
        return poses.transformed(scale_x, scale_y, 0, 0, (width, height))
    shift = (width - poses.size[0] * scale_y) / 2
    return poses.transformed(scale_y, scale_y, shift, 0, (width, height))
