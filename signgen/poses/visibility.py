"""Whether poses can be seen in the image that they are of, before anything is made of them."""

import numpy as np

from signgen.errors import UserError, warn
from signgen.poses.drawing import MIN_SCORE
from signgen.poses.sequence import PoseSequence
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.poses.smoothing import hold_body

# Hips and legs are guessed below the image by many estimators: they say nothing.
UPPER = {COCO_WHOLEBODY: (*range(11), *range(23, 133)), "openpose-18": (*range(8), *range(14, 18))}
BODY = {COCO_WHOLEBODY: range(11), "openpose-18": (*range(8), *range(14, 18))}
# Of the points, how many must lie in the image, and from how many on nothing is said.
LEAST_INSIDE, MOST_INSIDE = 0.6, 0.97
# In parts of the image's sides: resting hands are guessed a little below it, as a hand that is raised high above it.
MARGIN = 0.15


def check_visible(poses: PoseSequence) -> None:
    """Raises UserError where no frame has a point, or most points lie outside the image; warns where many do."""
    if not _seen(poses).any():
        raise UserError(f"nobody is in any of the {len(poses)} frames: no point has a score of {MIN_SCORE} or more")
    inside, where = place(poses)
    if inside >= MOST_INSIDE:
        return
    what = f"{1 - inside:.0%} of the points lie outside the image of {poses.size[0]}x{poses.size[1]} ({where})"
    if inside < LEAST_INSIDE:
        raise UserError(f"{what}: give the size of the image that they are of by --pose-size WIDTHxHEIGHT")
    warn(what)


def place(poses: PoseSequence) -> tuple[float, str]:
    """The share of points of face, arms and hands in or near the image, 1 if there are none, and where all lie."""
    points = list(UPPER[poses.skeleton])
    places = poses.positions[:, points][_seen(poses)[:, points]]
    if not len(places):
        return 1.0, ""
    margin = MARGIN * np.array(poses.size)
    inside = ((places >= -margin) & (places <= poses.size + margin)).all(1).mean()
    low, high = places.min(0), places.max(0)
    return float(inside), f"x {low[0]:.0f} to {high[0]:.0f}, y {low[1]:.0f} to {high[1]:.0f}"


def with_bodies(poses: PoseSequence) -> PoseSequence:
    """The poses; frames without a body, of which a warning tells, get one (`hold_body`), where any frame has one."""
    body: np.ndarray = np.asarray(_seen(poses)[:, list(BODY[poses.skeleton])].any(1))
    if body.all():
        return poses
    if not body.any():
        warn("no frame shows a body: there are points of hands or face alone")
        return poses
    warn(f"{(~body).sum()} of {len(body)} frames have no body: it is filled in between its neighbours, or held")
    return hold_body(poses, body)


def _seen(poses: PoseSequence) -> np.ndarray:
    """bool (F, K): the points that are drawn."""
    return np.asarray(poses.scores >= MIN_SCORE)
