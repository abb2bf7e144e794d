"""Pose pictures: what the models see of a pose.

All sizes are proportional to the picture's height, so that training and rendering at any size draw alike.
Lines are anti-aliased: at 210x260 a hand is 25 pixels wide, and whole pixels would swallow its fingers.

Only points inside the picture are drawn. Some estimators guess where the hips below it are, others do not;
drawn as lines that leave the picture, the guesses would make one pose look different to the model.
"""

from collections.abc import Iterator

import aggdraw
import numpy as np

from signgen.poses.sequence import PoseSequence
from signgen.poses.skeletons import CHAINS_133, COCO_WHOLEBODY, MIDDLES_133, Chain

# HRNet scores blurred but rightly placed fingers at 0.2 to 0.4, and points it merely guesses below that.
MIN_SCORE = 0.2
# Line widths are given for a picture of this height (Phoenix-2014T's frames).
REFERENCE_HEIGHT = 260

CHAINS: dict[str, list[Chain]] = {COCO_WHOLEBODY: CHAINS_133}


def draw_pose(keypoints: np.ndarray, height: int, width: int, skeleton: str = COCO_WHOLEBODY) -> np.ndarray:
    """Draw one pose on black.

    Args:
        keypoints: (K, 3) x, y in pixels of the picture and score. 0, 0 is the picture's top left corner; the
            first pixel's centre is at 0.5, 0.5.
        height, width: size of the picture.
        skeleton: "coco-wholebody-133" or "openpose-18".

    Returns:
        uint8 (height, width, 3), a fresh array.
    """
    points, drawn = _drawable(np.asarray(keypoints, np.float64), height, width)
    canvas = aggdraw.Draw("RGB", (width, height), "black")
    for chain in CHAINS[skeleton]:
        pen = aggdraw.Pen(chain.colour, chain.width * height / REFERENCE_HEIGHT)
        for run in _runs(chain, drawn):
            canvas.line([value for point in run for value in points[point]], pen)
    return np.frombuffer(canvas.tobytes(), np.uint8).reshape(height, width, 3).copy()


def draw_poses(poses: PoseSequence, height: int, width: int) -> Iterator[np.ndarray]:
    """Draw each frame of `poses`, scaled from its own size to this one: uint8 (height, width, 3) each."""
    scaled = poses.scaled_to((width, height))
    for keypoints in scaled.keypoints:
        yield draw_pose(keypoints, height, width, poses.skeleton)


def _drawable(keypoints: np.ndarray, height: int, width: int) -> tuple[list[list[float]], list[bool]]:
    """The points followed by the derived ones, and which of them are drawn; as lists, faster to index."""
    position, score = keypoints[:, :2], keypoints[:, 2]
    middles = np.array(MIDDLES_133)
    position = np.concatenate([position, position[middles].mean(1)])
    score = np.concatenate([score, score[middles].min(1)])
    inside = ((position >= 0) & (position <= (width, height))).all(1)
    return position.tolist(), (inside & (score >= MIN_SCORE)).tolist()


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
