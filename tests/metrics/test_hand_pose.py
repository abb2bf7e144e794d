from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.metrics import HandPE
from signgen.metrics.hand_estimators import MediaPipeHands, WholeBodyHands
from signgen.metrics.hand_pose import PARTS, SINGLE_JOINTS, find_hands, jitter


class BrightestPoint:
    """Stands for an estimator: all 21 joints at the brightest pixel; a dark patch holds no hand."""

    name = "brightest point"
    whole_frame, on_cpu = False, True

    def __call__(self, image: np.ndarray) -> np.ndarray:
        light = image.astype(int).sum(-1)
        if light.max() < 300:
            return np.zeros((0, 21, 2))
        y, x = np.unravel_index(light.argmax(), light.shape)
        return np.full((1, 21, 2), [x, y], float)


def clip_with_hands(*places: list[tuple[int, int]]) -> Tensor:
    """Black frames 105 px wide with a white pixel at each of the frame's places."""
    frames = torch.zeros(len(places), 130, 105, 3, dtype=torch.uint8)
    for frame, points in zip(frames, places, strict=True):
        for x, y in points:
            frame[y, x] = 255
    return frames


def score(*batches: tuple[Tensor, Tensor, Tensor]) -> dict[str, float]:
    metric = HandPE(BrightestPoint)
    for batch in batches:
        metric.update(*batch)
    return {name: float(value) for name, value in metric.compute().items()}


@pytest.fixture
def points() -> Tensor:
    """Four frames; the left knuckle at 30, 40, the right one at 99, 120, near the corner."""
    keypoints = torch.zeros(4, 133, 3)
    keypoints[:, 100] = torch.tensor([30.0, 40.0, 1])
    keypoints[:, 121] = torch.tensor([99.0, 120.0, 1])
    return keypoints


HANDS = [(30, 40), (99, 120)]


def test_hands_are_found_in_pixels_of_the_frame(points: Tensor) -> None:
    found = find_hands(clip_with_hands(*[HANDS] * 4), points, BrightestPoint())
    assert found[:, 0].unique(dim=1).squeeze().tolist() == [[30, 40]] * 4
    assert found[:, 1].unique(dim=1).squeeze().tolist() == [[99, 120]] * 4


def test_an_estimator_of_whole_bodies_sees_whole_frames(points: Tensor) -> None:
    seen = []

    def estimate(frame: np.ndarray) -> np.ndarray:
        seen.append(frame.shape)
        body = np.zeros((133, 3))
        body[91:112], body[112:] = (30, 40, 0.9), (99, 120, 0.2)  # it is not sure of the right hand
        return body

    found = find_hands(clip_with_hands(*[HANDS] * 4), points, WholeBodyHands(estimate, "a network"))
    assert seen == [(130, 105, 3)] * 4  # once for both hands
    assert found[:, 0].unique(dim=1).squeeze().tolist() == [[30, 40]] * 4
    assert found[:, 1].isnan().all()


def test_a_hand_far_from_the_knuckle_is_not_it(points: Tensor) -> None:
    """The patch reaches 37 px, that of Hand SSIM 15."""
    found = find_hands(clip_with_hands(*[[(30 + i, 40)] for i in (14, 15, 36, 38)]), points, BrightestPoint())
    assert found[:, 0, 0, 0].isnan().tolist() == [False, True, True, True]


def test_one_moved_hand_is_measured(points: Tensor) -> None:
    reference = clip_with_hands(*[HANDS] * 4)
    found = score((clip_with_hands(*[[(33, 44), HANDS[1]]] * 4), reference, points))
    assert found["hand-pe"] == pytest.approx(2.5)  # 5 for one hand, 0 for the other
    assert found["hand-pe-l1"] == pytest.approx(3.5)
    assert [found[f"hand-pe-{part}"] for part in PARTS] == pytest.approx([2.5] * 6)
    assert found["hands-found"] == 1


def test_the_parts_are_all_joints_once() -> None:
    joints = [joint for part in PARTS.values() for joint in range(21)[part]]
    assert joints == list(range(21))
    assert [range(21)[joint] for joint in SINGLE_JOINTS.values()] == [range(joint, joint + 1) for joint in range(1, 21)]


def test_each_joint_has_a_number_that_tables_leave_out(points: Tensor) -> None:
    class OneFingertipOff(BrightestPoint):
        def __call__(self, patch: np.ndarray) -> np.ndarray:
            hands = super().__call__(patch)
            hands[:, 8, 1] += 2 * (patch[..., 1] == 254).any()
            return hands

    reference = clip_with_hands(*[HANDS] * 4)
    generated = reference.clone()
    generated[generated == 255] = 254
    metric = HandPE(OneFingertipOff)
    metric.update(generated, reference, points)
    found = {name: float(value) for name, value in metric.compute().items()}
    single = {name: found[f"hand-pe-{name}"] for name in SINGLE_JOINTS}
    assert single == {name: 2 if name == "index-4" else 0 for name in single}
    assert found["hand-pe-index"] == 0.5
    assert {each.name for each in metric.quantities if each.detail} == {f"hand-pe-{name}" for name in single}


def test_a_vanished_hand_shows_in_the_share_found(points: Tensor) -> None:
    reference = clip_with_hands(*[HANDS] * 4)
    found = score((clip_with_hands(*[HANDS[:1]] * 4), reference, points))
    assert found["hand-pe"] == 0
    assert (found["hands-found"], found["hands-found-reference"]) == (0.5, 1)


def test_jitter_is_the_acceleration(points: Tensor) -> None:
    steady = clip_with_hands(*[[(30 + i, 40)] for i in range(4)])
    shaking = clip_with_hands(*[[(30 + i % 2, 40)] for i in range(4)])
    found = score((shaking, steady, points))
    assert (found["hand-jitter"], found["hand-jitter-reference"]) == (2, 0)
    gap = torch.zeros(5, 2, 21, 2)
    gap[2] = torch.nan
    assert jitter(gap).isnan().all()


def test_jitter_beyond_the_driving_poses_is_excess(points: Tensor) -> None:
    frames = clip_with_hands(*[[(30 + i % 2, 40)] for i in range(4)])
    assert np.isnan(score((frames, frames, torch.zeros_like(points)))["hand-jitter-excess"])
    points[:, 91:112] = points[:, 100:101]
    assert score((frames, frames, points))["hand-jitter-excess"] == 2
    points[1::2, 91:112, 1] += 3
    assert score((frames, frames, points))["hand-jitter-excess"] == -4


def test_batches_do_not_matter(points: Tensor) -> None:
    clips = [clip_with_hands(*[[(30 + i * step % 3, 40)] for i in range(4)]) for step in (1, 2)]
    whole = score((*clips, points))
    parts = [(clips[0][i : i + 1], clips[1][i : i + 1], points[i : i + 1]) for i in range(4)]
    assert score(*parts) == pytest.approx(whole)
    assert whole["hand-jitter"] > 0


def test_no_hands_at_all(points: Tensor) -> None:
    empty = clip_with_hands([], [], [], [])
    found = score((empty, empty, points))
    assert np.isnan(found["hand-pe"])
    assert found["hands-found"] == 0


def test_without_an_estimator_the_error_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("signgen.metrics.hand_estimators.find_spec", lambda package: None)
    with pytest.raises(UserError, match=r"pip install 'signgen\[mediapipe\]'"):
        HandPE()


@pytest.mark.skipif(find_spec("mediapipe") is None, reason="needs mediapipe 0.10.21")
def test_mediapipe_finds_no_hand_in_grey() -> None:
    assert MediaPipeHands()(np.full((150, 150, 3), 128, np.uint8)).shape == (0, 21, 2)
