"""The first frame moved by its keypoints: what drives an image without any training.

Every pixel of the new frame looks up the old one at the place where the points around it come from: their displacements
are averaged with Gaussian weights, so that the nearest decide. Far from all points nothing moves. What the first frame
does not show, such as the inside of a hand that turns, cannot appear.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from signgen.poses.skeletons import COCO_WHOLEBODY, NAMES_18, NAMES_133

# Chosen among a few values on six synthetic and three real clips, by SSIM and Hand SSIM.
REACH = 0.02  # of the image's width: standard deviation of a point's influence
STILL = 0.1  # weight of staying in place
STRIDE = 4  # pixels between the places where displacements are computed; they are smooth
# Between these ends, points are added: joints alone would let go of the middle of an arm.
LIMBS = (
    ("left_shoulder", "right_shoulder"),
    ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"),
)
ADDED = 6  # points a limb


def warp_by_points(frame: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`frame`, uint8 (H, W, 3), its points `source` moved to `target`, each (K, 3): x, y in its pixels and a score.

    Points that either of them lacks move nothing.
    """
    height, width, _ = frame.shape
    shown = (source[:, 2] > 0) & (target[:, 2] > 0)
    before, after = (torch.from_numpy(points[shown, :2]).float() for points in (source, target))
    positions = _positions(height, width, 1) + _displacements(before - after, after, height, width)
    grid = (positions + 0.5) * torch.tensor([2 / width, 2 / height]) - 1
    image = torch.from_numpy(np.array(frame)).permute(2, 0, 1)[None].float()
    moved = functional.grid_sample(image, grid[None], padding_mode="border", align_corners=False)
    return moved[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy()


def with_limbs(keypoints: np.ndarray, skeleton: str) -> np.ndarray:
    """(K, 3) points and, evenly between the ends of each of `LIMBS`, `ADDED` more with the lower of their scores."""
    names = NAMES_133 if skeleton == COCO_WHOLEBODY else NAMES_18
    ends = np.array([[names.index(end) for end in limb] for limb in LIMBS])
    start, stop = keypoints[ends[:, 0]], keypoints[ends[:, 1]]
    steps = np.linspace(0, 1, ADDED + 2, dtype=np.float32)[1:-1, None, None]
    between = start + steps * (stop - start)
    between[..., 2] = np.minimum(start[:, 2], stop[:, 2])
    return np.concatenate([keypoints, between.reshape(-1, 3)])


def _displacements(shift: Tensor, places: Tensor, height: int, width: int) -> Tensor:
    """(H, W, 2) pixels: the mean of the shifts (K, 2), each weighing by how near its place (K, 2) is."""
    positions = _positions(height, width, STRIDE)
    distance = torch.cdist(positions.flatten(0, 1), places)
    weights = torch.exp(-0.5 * (distance / (REACH * width)).square())
    mean = weights @ shift / (weights.sum(1, keepdim=True) + STILL)
    coarse = mean.view(*positions.shape).permute(2, 0, 1)[None]
    return functional.interpolate(coarse, (height, width), mode="bilinear", align_corners=True)[0].permute(1, 2, 0)


def _positions(height: int, width: int, stride: int) -> Tensor:
    """(h, w, 2) x, y from the first to the last pixel, about `stride` apart."""
    rows, columns = (torch.linspace(0, side - 1, -(-side // stride)) for side in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1)
