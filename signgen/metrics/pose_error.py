"""Pose re-detection: does the generated signer stand as the driving pose says?

The estimator sees the generated frames only; its points are compared with the driving pose. It errs on real
frames too, so the same of the reference stands beside it.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from weakref import finalize

import numpy as np
import torch
from torch import Tensor

from signgen.metrics.frame_metric import AveragedMetric, Quantity
from signgen.poses.extraction import Estimate, mediapipe_estimator

# Hips and what is below them are outside most sign-language images, where estimators guess.
PARTS = {"body": slice(0, 11), "hands": slice(91, 133)}
HOLISTIC = "MediaPipe Holistic 0.10.21"


def redetected(frames: np.ndarray, pose: np.ndarray, estimate: Estimate) -> dict[str, tuple[Tensor, Tensor]]:
    """Of each part, the distances (pixels) of points found in `frames` from the driving pose, and which were found.

    frames: uint8 (F, H, W, 3), in order. pose: (F, 133, 3) in their pixels. Points that the pose lacks count nowhere.
    """
    driving = torch.from_numpy(pose).double()
    found = torch.from_numpy(np.stack([estimate(frame) for frame in frames]))
    parts = {}
    for part, points in PARTS.items():
        known = driving[:, points, 2] > 0
        seen = known & (found[:, points, 2] > 0)
        distance = (found[:, points, :2] - driving[:, points, :2]).norm(dim=-1)
        parts[part] = (distance[seen], seen[known])
    return parts


class PoseError(AveragedMetric):
    """Distance of re-detected points from the driving pose, for the upper body and for the hands.

    The estimators follow a person through a clip: `new_clip` ends them, and the next frames get fresh ones.
    """

    needs_keypoints = True
    on_cpu = True

    def __init__(
        self, estimator: Callable[[], AbstractContextManager[Estimate]] = mediapipe_estimator, name: str = HOLISTIC
    ) -> None:
        quantities: list[Quantity] = []
        for part in PARTS:
            error, found = f"pose-{part}-error", f"pose-{part}-found"
            quantities += [
                Quantity(error, f"mean distance of found points from the pose, by {name}", "lower", "px", "point"),
                Quantity(f"{error}-reference", "the same of the reference", "", "px", "point"),
                Quantity(found, "share of the pose's points that are found", "higher", "", "point"),
                Quantity(f"{found}-reference", "the same of the reference", "", "", "point"),
            ]
        super().__init__(tuple(quantities))
        with estimator():
            pass  # one that is not installed is an error now, not after the first clip
        self._estimator, self._stack = estimator, ExitStack()
        self._estimates: list[Estimate] = []
        finalize(self, self._stack.close)  # MediaPipe hangs if it is left to the interpreter's end

    def new_clip(self) -> None:
        self._stack.close()
        self._estimates = []

    def _open(self) -> list[Estimate]:
        """One estimator for the generated frames, one for the reference's."""
        if not self._estimates:
            self._estimates = [self._stack.enter_context(self._estimator()) for _ in range(2)]
        return self._estimates

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        assert keypoints is not None  # update has checked
        pose = keypoints.cpu().double().numpy()
        values = {}
        sides = zip(("", "-reference"), (generated, reference), self._open(), strict=True)
        for side, frames, estimate in sides:
            for part, (distances, seen) in redetected(frames.cpu().numpy(), pose, estimate).items():
                values[f"pose-{part}-error{side}"] = distances
                values[f"pose-{part}-found{side}"] = seen
        return values
