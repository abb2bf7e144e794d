from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.metrics import PoseError

opened: list[str] = []


@contextmanager
def first_pixel() -> Iterator:
    """Stands for an estimator: every point is at the colours red, green of the first pixel; blue 0 finds nothing."""
    opened.append("opened")
    yield lambda frame: np.tile([*frame[0, 0, :2], min(frame[0, 0, 2], 1)], (133, 1)).astype(float)
    opened.append("closed")


def clip(*colours: tuple[int, int, int]) -> Tensor:
    return torch.tensor(colours, dtype=torch.uint8)[:, None, None].expand(-1, 4, 4, -1)


@pytest.fixture
def pose() -> Tensor:
    """Two frames, all points at 10, 20, the left hand missing in the second."""
    keypoints = torch.tensor([10.0, 20.0, 1.0]).repeat(2, 133, 1)
    keypoints[1, 91:112, 2] = 0
    return keypoints


def test_distance_and_share_found(pose: Tensor) -> None:
    metric = PoseError(first_pixel)
    metric.update(clip((13, 24, 1), (0, 0, 0)), clip((10, 20, 1), (10, 21, 1)), pose)
    found = {name: float(value) for name, value in metric.compute().items()}
    assert found == pytest.approx(
        {
            "pose-body-error": 5,
            "pose-body-error-reference": 0.5,
            "pose-body-found": 0.5,
            "pose-body-found-reference": 1,
            "pose-hands-error": 5,
            "pose-hands-error-reference": 1 / 3,
            "pose-hands-found": 2 / 3,
            "pose-hands-found-reference": 1,
        }
    )


def test_each_clip_has_fresh_estimators(pose: Tensor) -> None:
    metric = PoseError(first_pixel)
    opened.clear()
    frames = clip((1, 2, 1), (1, 2, 1))
    metric.update(frames[:1], frames[:1], pose[:1])
    metric.update(frames[1:], frames[1:], pose[1:])
    assert opened == ["opened", "opened"]
    metric.new_clip()
    assert opened == ["opened", "opened", "closed", "closed"]


@pytest.mark.skipif(find_spec("mediapipe") is not None, reason="mediapipe is installed")
def test_without_an_estimator_the_error_says_what_to_install() -> None:
    with pytest.raises(UserError, match=r"signgen\[mediapipe\]"):
        PoseError()
