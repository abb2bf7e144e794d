"""The poses that drive a rendering: read or taken from a video, steadied, and fitted to the signer's picture."""

from pathlib import Path

import numpy as np

from signgen.poses.alignment import align
from signgen.poses.extraction import ESTIMATORS, Progress, estimate_picture, extract_poses
from signgen.poses.formats.detect import holds_pictures, read_poses
from signgen.poses.formats.drawn_poses import holds_drawings
from signgen.poses.sequence import PoseSequence
from signgen.poses.smoothing import SMOOTHERS, fill_gaps
from signgen.video import is_video, open_video

ESTIMATE = Path("estimate")


def driving_poses(
    path: Path,
    picture: np.ndarray,
    progress: Progress,
    *,
    frames: slice = slice(None),
    fps: float | None = None,
    smooth: str | None = None,
    align_to: Path | None = None,
    estimator: str = "mediapipe",
) -> tuple[PoseSequence, float]:
    """The poses of a pose file or a video (or a folder of its frames), ready to drive the signer of `picture`.

    Also returns where in the file they begin, in seconds.

    picture: uint8 (H, W, 3). frames: which of them. fps: their new rate, resampled. smooth: a smoother's name; short
    gaps are filled first. align_to: a pose file whose first frame is the pose in `picture`, or `ESTIMATE` to estimate
    it. estimator: of poses in videos and pictures. Raises UserError for anything that cannot be read, found or fitted.
    """
    size = (picture.shape[1], picture.shape[0])
    if is_video(path) or (holds_pictures(path) and not holds_drawings(path)):
        with open_video(path) as video, ESTIMATORS[estimator]() as estimate:
            poses = extract_poses(video, estimate, progress=progress)
    else:
        poses = read_poses(path, size=size, fps=fps)
    start = frames.indices(len(poses))[0] / poses.fps
    poses = poses[frames]
    if fps is not None:
        poses = poses.resampled(fps)
    if smooth is not None:
        poses = SMOOTHERS[smooth](fill_gaps(poses))
    if align_to is not None:
        poses = align(poses, pose_in_picture(align_to, picture, estimator))
    return poses, start


def pose_in_picture(path: Path, picture: np.ndarray, estimator: str = "mediapipe") -> PoseSequence:
    """The pose of the signer in `picture`, uint8 (H, W, 3): the first of a pose file, or, for `ESTIMATE`, estimated."""
    if path == ESTIMATE:
        with ESTIMATORS[estimator]() as estimate:
            return estimate_picture(picture, estimate)
    return read_poses(path, size=(picture.shape[1], picture.shape[0]))[:1]
