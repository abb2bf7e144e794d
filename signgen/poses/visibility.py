"""Whether poses can be seen in the picture that they are of, before anything is made of them."""

import numpy as np

from signgen.errors import UserError, warn
from signgen.poses.drawing import MIN_SCORE
from signgen.poses.sequence import PoseSequence
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.poses.smoothing import hold_body

# Hips and legs are guessed below the picture by many estimators: they say nothing.
UPPER = {COCO_WHOLEBODY: (*range(11), *range(23, 133)), "openpose-18": (*range(8), *range(14, 18))}
BODY = {COCO_WHOLEBODY: range(11), "openpose-18": (*range(8), *range(14, 18))}
# Of the points, how many must lie in the picture, and from how many on nothing is said.
LEAST_INSIDE, MOST_INSIDE = 0.5, 0.75


def checked(poses: PoseSequence, placed: bool = True) -> PoseSequence:
    """The poses, if they can be seen; frames without a body, of which a warning tells, get one (`hold_body`).

    placed: they are meant for where they are in their picture. Raises UserError where no frame has a point, or most
    points lie outside the picture.
    """
    seen = poses.scores >= MIN_SCORE
    if not seen.any():
        raise UserError(f"nobody is in any of the {len(poses)} frames: no point has a score of {MIN_SCORE} or more")
    if placed:
        _check_place(poses, seen)
    body = np.asarray(seen[:, list(BODY[poses.skeleton])].any(1))
    if not body.any():
        warn("no frame shows a body: there are points of hands or face alone")
    if body.all() or not body.any():
        return poses
    warn(f"{(~body).sum()} of {len(body)} frames have no body: it is filled in between its neighbours, or held")
    return hold_body(poses, body)


def _check_place(poses: PoseSequence, seen: np.ndarray) -> None:
    points = list(UPPER[poses.skeleton])
    places = poses.positions[:, points][seen[:, points]]
    if not len(places):
        return
    inside = ((places >= 0) & (places <= poses.size)).all(1).mean()
    if inside >= MOST_INSIDE:
        return
    low, high = places.min(0), places.max(0)
    where = f"x {low[0]:.0f} to {high[0]:.0f}, y {low[1]:.0f} to {high[1]:.0f}"
    what = f"{1 - inside:.0%} of the points lie outside the picture of {poses.size[0]}x{poses.size[1]} ({where})"
    if inside < LEAST_INSIDE:
        raise UserError(f"{what}: give the size of the picture that they are of by --pose-size WIDTHxHEIGHT")
    warn(what)
