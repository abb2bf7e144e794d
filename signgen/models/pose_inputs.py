"""Poses as the networks read them: drawn, and as the coordinates of the body's points."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from signgen.poses import PoseSequence, draw_poses
from signgen.poses.skeleton_conversion import SOURCES_18

MISSING = -1.0


@dataclass(frozen=True)
class PoseInputs:
    """A batch of poses; a system reads what it needs of them.

    pose_maps: uint8 (B, h, w, 3). points: float32 (B, 18, 2), the OpenPose-18 points' x and y as shares of the
    image's width and height, -1 where missing. keypoints: float32 (B, 133, 3), whole-body, in pixels of the pose maps.
    None where only pose maps are known.
    """

    pose_maps: np.ndarray | Tensor
    points: np.ndarray | Tensor | None = None
    keypoints: np.ndarray | Tensor | None = None

    def __len__(self) -> int:
        return len(self.pose_maps)

    def __getitem__(self, rows: slice | np.ndarray) -> "PoseInputs":
        chosen = (None if values is None else values[rows] for values in (self.points, self.keypoints))
        return PoseInputs(self.pose_maps[rows], *chosen)


def pose_inputs(poses: PoseSequence, size: tuple[int, int]) -> PoseInputs:
    """Poses scaled to images of `size` (height, width), drawn and as coordinates."""
    keypoints = poses.scaled_to((size[1], size[0])).keypoints
    return PoseInputs(np.stack(list(draw_poses(poses, *size))), body_points(poses), keypoints)


def body_points(poses: PoseSequence) -> np.ndarray:
    """The OpenPose-18 points as shares of the image's width and height, float32 (F, 18, 2); -1 where missing."""
    return point_shares(torch.from_numpy(poses.keypoints), poses.size[::-1]).numpy()


def point_shares(keypoints: Tensor, size: tuple[int, int]) -> Tensor:
    """The same of keypoints (B, 133 or 18, 3) in pixels of images of `size` (height, width)."""
    if keypoints.shape[1] != len(SOURCES_18):
        ends = keypoints[:, [source[0] for source in SOURCES_18]], keypoints[:, [source[-1] for source in SOURCES_18]]
        score = torch.minimum(ends[0][..., 2:], ends[1][..., 2:])
        keypoints = torch.cat([(ends[0] + ends[1])[..., :2] / 2, score], dim=-1)
    shares = keypoints[..., :2] / torch.tensor(size[::-1], dtype=keypoints.dtype, device=keypoints.device)
    return torch.where(keypoints[..., 2:] > 0, shares, MISSING)
