"""Pose images: what the models see of a pose.

All sizes are proportional to the image's height, so that training and rendering at any size draw alike.
Lines are anti-aliased: at 210x260 a hand is 25 pixels wide, and whole pixels would swallow its fingers.

Only points inside the image are drawn. Some estimators guess where the hips below it are, others do not;
drawn as lines that leave the image, the guesses would make one pose look different to the model.
"""

from collections.abc import Iterator

import aggdraw
import numpy as np

from signgen.poses.formats.pose_maps import PoseMaps
from signgen.poses.openpose_drawing import HALF_WIDTH, draw_openpose_18
from signgen.poses.sequence import PoseSequence
from signgen.poses.skeletons import CHAINS_133, COCO_WHOLEBODY, LEFT_SHOULDER, OPENPOSE_18, RIGHT_SHOULDER, Chain

# HRNet scores blurred but rightly placed fingers at 0.2 to 0.4, and points it merely guesses below that.
MIN_SCORE = 0.2
# Line widths are given for an image of this height (Phoenix-2014T's frames).
REFERENCE_HEIGHT = 260


def draw_pose(keypoints: np.ndarray, height: int, width: int, skeleton: str = COCO_WHOLEBODY) -> np.ndarray:
    """Draw one pose on black.

    Args:
        keypoints: (K, 3) x, y in pixels of the image and score. 0, 0 is the image's top left corner; the
            first pixel's centre is at 0.5, 0.5.
        height, width: size of the image.
        skeleton: "coco-wholebody-133", drawn in signgen's style, or "openpose-18", drawn in FPDM's.

    Returns:
        uint8 (height, width, 3), a fresh array.
    """
    keypoints = np.asarray(keypoints, np.float64)
    if skeleton == OPENPOSE_18:
        drawn = _drawn(keypoints, height, width)
        return draw_openpose_18(keypoints[:, :2], drawn, height, width, HALF_WIDTH * height)
    return _draw_133(keypoints, height, width)


def draw_poses(poses: PoseSequence | PoseMaps, height: int, width: int) -> Iterator[np.ndarray]:
    """Each frame of `poses` scaled to (height, width) and drawn, or as it is drawn: uint8 (height, width, 3)."""
    if isinstance(poses, PoseMaps):
        yield from poses.images(height, width)
        return
    for keypoints in poses.scaled_to((width, height)).keypoints:
        yield draw_pose(keypoints, height, width, poses.skeleton)


def overlaid(frame: np.ndarray, drawing: np.ndarray) -> np.ndarray:
    """The pose map over the frame, as opaque as it is bright: uint8 (H, W, 3) each."""
    opacity = drawing.max(-1, keepdims=True) / 255
    return (frame * (1 - opacity) + drawing * opacity).astype(np.uint8)


def _draw_133(keypoints: np.ndarray, height: int, width: int) -> np.ndarray:
    neck = keypoints[[LEFT_SHOULDER, RIGHT_SHOULDER]]
    points = np.concatenate([keypoints, [[*neck[:, :2].mean(0), neck[:, 2].min()]]])
    drawn, position = _drawn(points, height, width).tolist(), points[:, :2].tolist()  # lists: faster to index
    canvas = aggdraw.Draw("RGB", (width, height), "black")
    for chain in CHAINS_133:
        pen = aggdraw.Pen(chain.colour, chain.width * height / REFERENCE_HEIGHT)
        for run in _runs(chain, drawn):
            canvas.line([value for point in run for value in position[point]], pen)
    return np.frombuffer(canvas.tobytes(), np.uint8).reshape(height, width, 3).copy()


def _drawn(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """bool (K,): the points that score high enough and lie in the image."""
    inside = ((points[:, :2] >= 0) & (points[:, :2] <= (width, height))).all(1)
    return inside & (points[:, 2] >= MIN_SCORE)


def _runs(chain: Chain, drawn: list[bool]) -> Iterator[list[int]]:
    """The stretches of at least two drawn points in a row."""
    points = chain.points + chain.points[:1] if chain.closed else chain.points
    run: list[int] = []
    for point in points:
        if drawn[point]:
            run.append(point)
            continue
        if len(run) > 1:
            yield run
        run = []
    if len(run) > 1:
        yield run
