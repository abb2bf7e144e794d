"""Poses as the networks read them: drawn, and as the coordinates of the body's points."""

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from signgen.poses import PoseSequence, convert, draw_poses
from signgen.poses.skeletons import OPENPOSE_18

MISSING = -1.0


@dataclass(frozen=True)
class PoseInputs:
    """A batch of poses, for FPDM its drawings alone.

    drawings: uint8 (B, h, w, 3). points: float32 (B, 18, 2), the OpenPose-18 points' x and y as shares of the
    picture's width and height, -1 where missing; None where only drawings are known.
    """

    drawings: np.ndarray | Tensor
    points: np.ndarray | Tensor | None = None

    def __len__(self) -> int:
        return len(self.drawings)


def pose_inputs(poses: PoseSequence, size: tuple[int, int]) -> PoseInputs:
    """Poses scaled to pictures of `size` (height, width), drawn and as coordinates."""
    return PoseInputs(np.stack(list(draw_poses(poses, *size))), body_points(poses))


def body_points(poses: PoseSequence) -> np.ndarray:
    """The OpenPose-18 points as shares of the picture's width and height, float32 (F, 18, 2); -1 where missing."""
    body = convert(poses, OPENPOSE_18)
    return np.where(body.present[..., None], body.positions / np.array(body.size, np.float32), np.float32(MISSING))
