"""PoseSequence: what every pose file is converted to."""

from dataclasses import dataclass, field, replace

import numpy as np

from signgen.errors import UserError
from signgen.poses.skeletons import FLIP, POINT_COUNT

# A coordinate beyond this is no measurement: it is a broken file.
MAX_COORDINATE = 1e6
MAX_SIDE = 65535
MAX_FPS = 1000.0


@dataclass(frozen=True, eq=False)
class PoseSequence:
    """The poses of one signer over time.

    Attributes:
        keypoints: float32 (F, K, 3): x, y in pixels of an image of `size`, score in [0, 1], 0 = missing.
        size: (width, height) of the image that the pixels refer to.
        fps: frames per second.
        skeleton: "coco-wholebody-133" or "openpose-18"; it fixes K and the order of the points.

    Raises UserError for anything else: no frames, another number of points, non-finite numbers, absurd sizes.
    """

    keypoints: np.ndarray = field(repr=False)
    size: tuple[int, int]
    fps: float
    skeleton: str

    def __post_init__(self) -> None:
        if self.skeleton not in POINT_COUNT:
            raise UserError(f"unknown skeleton {self.skeleton!r}: it must be one of {', '.join(POINT_COUNT)}")
        check_size(self.size)
        if not 0 < self.fps <= MAX_FPS:
            raise UserError(f"{self.fps} frames per second: it must be more than 0 and at most {MAX_FPS:.0f}")
        _check_keypoints(self.keypoints, POINT_COUNT[self.skeleton], self.skeleton)

    @classmethod
    def from_raw(cls, keypoints: np.ndarray, size: tuple[int, int], fps: float, skeleton: str) -> "PoseSequence":
        """As the constructor, after `cleaned`."""
        return cls(cleaned(keypoints), size, fps, skeleton)

    def __len__(self) -> int:
        return len(self.keypoints)

    def __getitem__(self, frames: slice) -> "PoseSequence":
        """Frames a:b, as a PoseSequence; UserError where none is left."""
        kept = self.keypoints[frames]
        if not len(kept):
            raise UserError(f"frames {frames.start}:{frames.stop} of {len(self)} poses: none is left")
        return replace(self, keypoints=kept)

    @property
    def positions(self) -> np.ndarray:
        """(F, K, 2) x and y."""
        return self.keypoints[..., :2]

    @property
    def scores(self) -> np.ndarray:
        """(F, K) in [0, 1]; 0 = missing."""
        return self.keypoints[..., 2]

    @property
    def present(self) -> np.ndarray:
        """bool (F, K): the points that are not missing."""
        return self.scores > 0

    def transformed(
        self, scale_x: float, scale_y: float, shift_x: float, shift_y: float, size: tuple[int, int]
    ) -> "PoseSequence":
        """New x = x * scale_x + shift_x, y likewise, in pixels of an image of `size`; scores stay."""
        scale, shift = np.array([scale_x, scale_y, 1]), np.array([shift_x, shift_y, 0])
        keypoints = (self.keypoints * scale + shift).astype(np.float32)
        return replace(self, keypoints=keypoints, size=size)

    def scaled_to(self, size: tuple[int, int]) -> "PoseSequence":
        """Stretched to an image of `size` (width, height)."""
        return self.transformed(size[0] / self.size[0], size[1] / self.size[1], 0, 0, size)

    def resampled(self, fps: float) -> "PoseSequence":
        """At another frame rate, of the same duration to the nearest frame.

        Points are interpolated between two frames that both have them, else taken from the nearer one.
        """
        if not 0 < fps <= MAX_FPS:
            raise UserError(f"{fps} frames per second: it must be more than 0 and at most {MAX_FPS:.0f}")
        count = max(1, round(len(self) * fps / self.fps))
        time = np.minimum(np.arange(count) * self.fps / fps, len(self) - 1)
        before = np.floor(time).astype(int)
        after = np.minimum(before + 1, len(self) - 1)
        weight = (time - before)[:, None, None].astype(np.float32)
        a, b = self.keypoints[before], self.keypoints[after]
        both = (a[..., 2:] > 0) & (b[..., 2:] > 0)
        keypoints = np.where(both, a + weight * (b - a), np.where(weight < 0.5, a, b))
        return replace(self, keypoints=keypoints, fps=float(fps))

    def flipped(self) -> "PoseSequence":
        """Mirrored left to right, the signer's left and right exchanged."""
        keypoints = self.keypoints[:, FLIP[self.skeleton]]
        x, score = keypoints[..., 0], keypoints[..., 2]
        keypoints[..., 0] = np.where(score > 0, self.size[0] - x, x)
        return replace(self, keypoints=keypoints)


@np.errstate(invalid="ignore", over="ignore")
def cleaned(keypoints: np.ndarray) -> np.ndarray:
    """float32 copy of (..., 3): non-finite or absurd points become zero (missing), scores cut to [0, 1]."""
    keypoints = np.array(keypoints, np.float64)
    broken = ~np.isfinite(keypoints).all(-1) | (np.abs(keypoints[..., :2]) > MAX_COORDINATE).any(-1)
    keypoints[broken] = 0
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)
    return keypoints.astype(np.float32)


def check_size(size: tuple[int, int]) -> None:
    """UserError unless `size` is (width, height), whole numbers from 1 to 65535."""
    if len(size) != 2 or not all(isinstance(s, int | np.integer) and 1 <= s <= MAX_SIDE for s in size):
        raise UserError(f"image size {size}: width and height must be whole numbers from 1 to {MAX_SIDE}")


def _check_keypoints(keypoints: np.ndarray, points: int, skeleton: str) -> None:
    if not isinstance(keypoints, np.ndarray) or keypoints.dtype != np.float32:
        raise UserError("keypoints must be a numpy array of float32")
    if keypoints.ndim != 3 or keypoints.shape[1:] != (points, 3):
        raise UserError(f"keypoints of shape {keypoints.shape}: {skeleton} needs (frames, {points}, 3)")
    if not len(keypoints):
        raise UserError("the pose sequence is empty: it has no frames")
    if not np.isfinite(keypoints).all():
        raise UserError("keypoints hold non-finite numbers")
    if keypoints[..., 2].min() < 0 or keypoints[..., 2].max() > 1:
        raise UserError("keypoint scores must lie in [0, 1]")
