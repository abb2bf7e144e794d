"""Optical flow between consecutive frames, by OpenCV's DIS (Kroeger et al. 2016), and warping along it.

DIS needs no weights, takes milliseconds on a CPU and follows fast hands; torchvision's RAFT cannot be
imported beside a CPU-only torch.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from signgen.errors import UserError


def require_opencv() -> None:
    """UserError where OpenCV is not installed."""
    if find_spec("cv2") is None:
        raise UserError("it needs OpenCV's optical flow: pip install 'signgen[evaluate]'")


def warp_to_next(clips: Sequence[Tensor], guide: Tensor) -> tuple[list[Tensor], Tensor]:
    """Move every frame but the last to where the guide has it one frame later.

    Args:
        clips: uint8 (F, H, W, 3) each.
        guide: uint8 (F, H, W, 3), whose flow is followed.

    Returns:
        per clip uint8 (F - 1, H, W, 3), to be compared with its frames 1 to F - 1; and bool (F - 1, H, W),
        true where the guide's pixel was visible before as well.
    """
    images = guide.cpu().numpy()
    flows = [backward_flow(before, after) for before, after in pairwise(images)]
    visible = np.array([seen for _, seen in flows], bool).reshape(-1, *guide.shape[1:3])
    warped = []
    for clip in clips:
        frames = zip(clip.cpu().numpy()[:-1], flows, strict=True)
        moved = np.array([_sample(frame, flow) for frame, (flow, _) in frames], np.uint8)
        warped.append(torch.from_numpy(moved.reshape(-1, *clip.shape[1:])).to(clip.device))
    return warped, torch.from_numpy(visible).to(guide.device)


def backward_flow(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel of `after` where it was in `before`: flow float32 (H, W, 2) in pixels x, y; visible (H, W).

    Visible: forward and backward flow agree within the bound of Sundaram et al. 2010, inside the frame.
    """
    import cv2

    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after)]
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    backward, forward = (dis.calc(a, b, None) for a, b in (grey[::-1], grey))  # type: ignore[call-overload]
    returned = _sample(forward, backward)
    square_error = ((backward + returned) ** 2).sum(-1)
    square_length = (backward**2).sum(-1) + (returned**2).sum(-1)
    x, y = np.moveaxis(_positions(backward), -1, 0)
    height, width = grey[0].shape
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return backward, inside & (square_error < 0.01 * square_length + 0.5)


def _positions(flow: np.ndarray) -> np.ndarray:
    rows, columns = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    return flow + np.stack([columns, rows], -1)


def _sample(image: np.ndarray, flow: np.ndarray) -> np.ndarray:
    import cv2

    columns, rows = np.moveaxis(_positions(flow), -1, 0)
    return np.asarray(cv2.remap(image, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
