from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from signgen.poses import MIN_SCORE, convert, draw_pose, draw_poses, read_poses
from signgen.poses.openpose_drawing import draw_openpose_18
from signgen.poses.skeletons import FACE, FLIP_133, LEFT_HAND, RIGHT_HAND


def without(keypoints: np.ndarray, *parts) -> np.ndarray:
    keypoints = keypoints.copy()
    for part in parts:
        keypoints[part] = 0
    return keypoints


def only(keypoints: np.ndarray, part) -> np.ndarray:
    kept = np.zeros_like(keypoints)
    kept[part] = keypoints[part]
    return kept


def test_the_image_has_the_size_asked_for_and_a_black_background(signer):
    image = draw_pose(signer.keypoints[0], 260, 210)
    assert image.shape == (260, 210, 3)
    assert image.dtype == np.uint8
    lit = (image.max(-1) > 0).mean()
    assert 0.01 < lit < 0.2


def test_drawing_is_deterministic(signer):
    assert (draw_pose(signer.keypoints[3], 260, 210) == draw_pose(signer.keypoints[3], 260, 210)).all()


@pytest.mark.parametrize("factor", [2, 4])
def test_a_pose_looks_the_same_at_any_size(signer, factor):
    small = draw_pose(signer.keypoints[0], 260, 210).astype(float)
    large = draw_pose(signer.keypoints[0] * [factor, factor, 1], 260 * factor, 210 * factor)
    reduced = large.reshape(260, factor, 210, factor, 3).mean((1, 3))
    assert abs(reduced - small).mean() < 0.25  # of 255; the pose map itself is 4 on average
    assert abs(reduced - small).max() < 80


@pytest.mark.parametrize("part", [LEFT_HAND, RIGHT_HAND, FACE, slice(5, 11)])
def test_every_part_is_drawn(signer, part):
    whole = draw_pose(signer.keypoints[0], 260, 210)
    assert (draw_pose(without(signer.keypoints[0], part), 260, 210) != whole).any()


def test_points_below_the_threshold_are_left_out(signer):
    keypoints = signer.keypoints[0].copy()
    keypoints[LEFT_HAND, 2] = MIN_SCORE - 0.01
    assert (draw_pose(keypoints, 260, 210) == draw_pose(without(keypoints, LEFT_HAND), 260, 210)).all()
    keypoints[LEFT_HAND, 2] = MIN_SCORE
    assert (draw_pose(keypoints, 260, 210) == draw_pose(signer.keypoints[0], 260, 210)).all()


@pytest.mark.parametrize("place", [(-1, 100), (211, 100), (100, 261), (1e6, -1e6)])
def test_points_outside_the_image_are_left_out(signer, place):
    keypoints = signer.keypoints[0].copy()
    keypoints[7, :2] = place
    assert (draw_pose(keypoints, 260, 210) == draw_pose(without(keypoints, 7), 260, 210)).all()


def test_nothing_is_drawn_of_no_points():
    assert not draw_pose(np.zeros((133, 3)), 260, 210).any()


def test_the_hands_have_ten_colours_of_their_own(signer):
    fingers = [(hand.start, *range(hand.start + 1 + 4 * f, hand.start + 5 + 4 * f)) for hand in
               (LEFT_HAND, RIGHT_HAND) for f in range(5)]  # fmt: skip
    colours = []
    for finger in fingers:
        image = draw_pose(only(signer.keypoints[0], list(finger)) * [4, 4, 1], 1040, 840)
        colours.append(image[image.sum(-1).argmax() // 840, image.sum(-1).argmax() % 840].astype(int))
    distances = [abs(a - b).sum() for i, a in enumerate(colours) for b in colours[:i]]
    assert min(distances) > 90


def test_fingers_stay_apart_at_phoenix_size(signer):
    """Across the fingers of a hand 23 pixels wide, dark gaps alternate with lines that are thinner than two pixels."""
    keypoints = only(signer.keypoints[0], RIGHT_HAND)
    row = draw_pose(keypoints, 260, 210)[180 - 16].max(-1).astype(int)
    peaks = [x for x in range(1, 209) if row[x] > 60 and row[x] >= row[x - 1] and row[x] > row[x + 1]]
    assert len(peaks) == 4  # the thumb is lower
    assert all(row[a : b + 1].min() < 0.7 * min(row[a], row[b]) for a, b in pairwise(peaks))


def test_a_mirrored_pose_is_the_mirror_image_up_to_colours(signer):
    mirrored = draw_pose(signer.flipped().keypoints[0], 260, 210).max(-1) > 0
    assert (mirrored[:, ::-1] == (draw_pose(signer.keypoints[0], 260, 210).max(-1) > 0)).mean() > 0.995
    assert len(FLIP_133) == 133


def test_draw_poses_scales_from_the_sequences_size(signer):
    images = list(draw_poses(signer, 520, 420))
    assert len(images) == len(signer)
    assert (images[4] == draw_pose(signer.scaled_to((420, 520)).keypoints[4], 520, 420)).all()


def test_openpose_18_is_drawn_in_proportion_too(signer):
    poses = convert(signer, "openpose-18")
    small, large = next(draw_poses(poses, 260, 210)), next(draw_poses(poses, 1040, 840))
    assert small.any()
    assert abs(large.reshape(260, 4, 210, 4, 3).mean((1, 3)) - small).mean() < 0.5


def test_openpose_18_leaves_missing_points_out(signer):
    keypoints = convert(signer, "openpose-18").keypoints[0]
    less = draw_pose(without(keypoints, 4), 260, 210, "openpose-18")
    assert (less != draw_pose(keypoints, 260, 210, "openpose-18")).any()
    assert not draw_pose(keypoints * [1, 1, 0], 260, 210, "openpose-18").any()


def test_openpose_18_draws_coinciding_points():
    keypoints = np.ones((18, 3)) * [50, 50, 1]
    assert draw_pose(keypoints, 260, 210, "openpose-18").any()


def test_openpose_18_meets_the_published_drawings(shared):
    """FPDM's test pose_maps: JPEG, 750x1101, 4 pixels whatever the size."""
    differences = []
    for path in sorted((shared / "real/deepfashion-sample/pose_img").rglob("*.jpg")):
        published = np.asarray(Image.open(path).convert("RGB"), int)
        height, width, _ = published.shape
        pose = read_poses(str(path).replace("pose_img", "pose").replace(".jpg", ".txt"))
        keypoints = pose.scaled_to((width, height)).keypoints[0].astype(float)
        drawn = draw_openpose_18(keypoints[:, :2], keypoints[:, 2] > 0, height, width, half_width=4)
        differences.append(abs(drawn - published).mean())
    assert len(differences) == 14
    assert max(differences) < 2
    assert np.mean(differences) < 0.7


def test_the_caller_may_write_into_the_image(signer):
    image = draw_pose(signer.keypoints[0], 260, 210)
    image[:] = 7
    assert not (draw_pose(signer.keypoints[0], 260, 210) == 7).all()


def test_non_finite_points_are_left_out(signer):
    keypoints = replace(signer).keypoints[0].copy()
    keypoints[7] = np.nan
    assert (draw_pose(keypoints, 260, 210) == draw_pose(without(signer.keypoints[0], 7), 260, 210)).all()
