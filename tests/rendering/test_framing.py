import numpy as np
import pytest

from signgen.errors import UserError
from signgen.poses import PoseSequence
from signgen.rendering.framing import frame_image, poses_on_image


def poses(x: float, y: float, size: tuple[int, int]) -> PoseSequence:
    keypoints = np.zeros((3, 133, 3), np.float32)
    keypoints[:, :17] = (x, y, 1)
    return PoseSequence(keypoints, size, 25.0, "coco-wholebody-133")


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_image_of_the_models_shape_is_untouched() -> None:
    frame, sequence = image(260, 210), poses(100, 90, (210, 260))
    framing = frame_image(frame, sequence, (260, 210), "crop")
    assert np.array_equal(framing.to_model(frame), frame)
    assert np.array_equal(framing.poses_to_model(sequence).keypoints, sequence.keypoints)
    generated = image(260, 210)[::-1]
    assert np.array_equal(framing.to_image(frame, generated), generated)


@pytest.mark.parametrize(("x", "left"), [(160, 63), (0, 0), (319, 126)])
def test_the_window_follows_the_signer_and_stays_inside(x: float, left: int) -> None:
    frame, sequence = image(240, 320), poses(x, 100, (320, 240))
    framing = frame_image(frame, sequence, (260, 210), "crop")
    assert framing.window == (left, 0, 194, 240)
    assert framing.to_model(frame).shape == (260, 210, 3)


def test_outside_the_window_the_image_stays() -> None:
    frame, sequence = image(240, 320), poses(160, 100, (320, 240))
    framing = frame_image(frame, sequence, (260, 210), "crop")
    result = framing.to_image(frame, np.zeros((260, 210, 3), np.uint8))
    assert np.array_equal(result[:, :63], frame[:, :63])
    assert np.array_equal(result[:, 63 + 194 :], frame[:, 63 + 194 :])
    assert not result[:, 63 + 5 : 63 + 194 - 5].any()
    edge = result[:, 63 : 63 + 5] / np.maximum(frame[:, 63 : 63 + 5], 1.0)
    assert (np.diff(edge.mean((0, 2))) < 0).all()  # no step at the window's edges


def test_poses_go_where_their_pixels_go() -> None:
    frame, sequence = image(240, 320), poses(160, 120, (320, 240))
    framing = frame_image(frame, sequence, (260, 210), "crop")
    x, y, score = framing.poses_to_model(sequence).keypoints[0, 0]
    assert (x, y, score) == pytest.approx(((160 - 63) * 210 / 194, 130, 1), abs=1e-3)


def test_squash_takes_the_whole_image() -> None:
    frame, sequence = image(240, 320), poses(160, 120, (320, 240))
    framing = frame_image(frame, sequence, (64, 64), "squash")
    assert framing.window == (0, 0, 320, 240)
    assert tuple(framing.poses_to_model(sequence).keypoints[0, 0, :2]) == (32, 32)


def test_poses_of_another_image_are_scaled_to_this_one() -> None:
    assert poses_on_image(poses(105, 130, (210, 260)), 420, 520).keypoints[0, 0, :2] == pytest.approx((210, 260))
    # Another shape: proportions are kept, the middle stays the middle.
    assert poses_on_image(poses(320, 240, (640, 480)), 210, 260).keypoints[0, 0, :2] == pytest.approx((105, 130))


def test_an_unknown_fit_is_named() -> None:
    with pytest.raises(UserError, match="unknown fit 'stretch'"):
        frame_image(image(8, 8), poses(4, 4, (8, 8)), (8, 8), "stretch")


def upright(x: float, y: float, shoulders: float, size: tuple[int, int], arms: float = 1.0) -> PoseSequence:
    """A signer whose shoulders are `shoulders` pixels wide about (x, y), wrists `arms` shoulder widths to the sides."""
    keypoints = np.zeros((2, 133, 3), np.float32)
    for index, (dx, dy) in {0: (0, -0.6), 5: (0.5, 0), 6: (-0.5, 0), 9: (arms, 0.4), 10: (-arms, 0.4)}.items():
        keypoints[:, index] = (x + dx * shoulders, y + dy * shoulders, 1)
    return PoseSequence(keypoints, size, 25.0, "coco-wholebody-133")


@pytest.mark.parametrize("scale", [1, 3, 8])
def test_a_signer_is_as_large_as_the_model_knows_them_whatever_the_image(scale: int) -> None:
    sequence = upright(100 * scale, 120 * scale, 40 * scale, (400 * scale, 300 * scale), arms=0.8)
    framing = frame_image(image(300 * scale, 400 * scale), sequence, (260, 210), "signer")
    shown = framing.poses_to_model(sequence).keypoints[0]
    assert shown[5, 0] - shown[6, 0] == pytest.approx(0.45 * 210, rel=0.03)
    assert shown[[0, 5, 6, 9, 10], 0].min() > 0
    assert shown[[0, 5, 6, 9, 10], 0].max() < 210


def test_wide_arms_are_inside_the_window() -> None:
    sequence = upright(200, 150, 40, (400, 300), arms=3.0)
    framing = frame_image(image(300, 400), sequence, (260, 210), "signer")
    shown = framing.poses_to_model(sequence).keypoints[0]
    assert shown[10, 0] > 0
    assert shown[9, 0] < 210


def test_a_window_may_reach_beyond_the_image_and_comes_back() -> None:
    sequence = upright(60, 60, 60, (120, 100))
    frame = image(100, 120)
    framing = frame_image(frame, sequence, (260, 210), "signer")
    _, _, width, height = framing.window
    assert width > 120 or height > 100
    assert framing.canvas(frame).shape == (height, width, 3)
    assert np.array_equal(framing.to_image(frame, framing.canvas(frame)), frame)


def test_legs_and_points_outside_need_no_room() -> None:
    sequence = upright(200, 150, 40, (400, 600))
    with_legs = sequence.keypoints.copy()
    with_legs[:, 15:17] = (200, 590, 1)
    with_legs[:, 7] = (900, 160, 1)
    other = PoseSequence(with_legs, (400, 600), 25.0, "coco-wholebody-133")
    windows = [frame_image(image(600, 400), each, (260, 210), "signer").window for each in (sequence, other)]
    assert windows[0][2:] == windows[1][2:]
