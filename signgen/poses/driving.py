"""The poses that drive a rendering: read or taken from a video, steadied, and fitted to the signer's image."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from signgen.errors import UserError, about, warn
from signgen.poses.alignment import align
from signgen.poses.extraction import (
    ESTIMATORS,
    MissingEstimator,
    estimate_image,
    extract_poses,
    parse_box,
)
from signgen.poses.formats.detect import holds_images, holds_poses, holds_video, read_poses
from signgen.poses.formats.pose_maps import holds_pose_maps
from signgen.poses.sequence import PoseSequence
from signgen.poses.smoothing import SMOOTHERS, fill_gaps
from signgen.poses.visibility import check_visible, with_bodies
from signgen.runtime.progress import Progress
from signgen.video import open_video, read_first_frame

ESTIMATE = Path("estimate")


@dataclass(frozen=True)
class Moments:
    """Which moments of their file the poses of a rendering are: pose i is the file's pose start + i * step.

    count and fps: how many poses the file has, and their rate.
    """

    count: int
    fps: float
    start: int = 0
    step: float = 1.0

    def of(self, pose: int) -> float:
        """Where pose `pose` is among the poses of the file."""
        return self.start + pose * self.step


def driving_poses(
    path: Path,
    image: np.ndarray,
    progress: Progress,
    *,
    frames: slice = slice(None),
    fps: float | None = None,
    smooth: str | None = None,
    align_to: Path | None = None,
    estimator: str = "mediapipe",
    pose_size: tuple[int, int] | None = None,
    person: str | None = None,
    device: str = "cpu",
) -> tuple[PoseSequence, Moments]:
    """The poses of a pose file or a video (or a folder of its frames), ready to drive the signer of `image`.

    Also returns which moments of the file they are.

    image: uint8 (H, W, 3). frames: which of them. fps: their new rate, resampled. smooth: a smoother's name; short
    gaps are filled first. align_to: a pose file whose first frame is the pose in `image`, or `ESTIMATE` to estimate
    it. estimator: of poses in videos and images, on `device` where it can choose. pose_size: (width, height) of the
    image that a pose file is of, whatever it says; without either, that of `image`. person: which of several
    (`signgen.poses.people.choose`); for a video, the box X,Y,WIDTH,HEIGHT to look into. Raises UserError for anything
    that cannot be read, found or fitted.
    """
    size = (image.shape[1], image.shape[0])
    estimated = is_estimated(path)
    if estimated:
        box = None if person is None else parse_box(person)
        with open_video(path) as video, ESTIMATORS[estimator](device=device) as estimate:
            poses = extract_poses(video, estimate, box, progress=progress)
    else:
        poses = read_poses(path, size=size, fps=fps, pose_size=pose_size, person=person)
    with about(path):
        if align_to is None and not estimated:
            check_visible(poses)
        whole = with_bodies(poses)
    poses = whole[frames]
    if fps is not None:
        poses = poses.resampled(fps)
    if smooth is not None:
        poses = SMOOTHERS[smooth](fill_gaps(poses))
    if align_to is not None:
        poses = align(poses, pose_in_image(align_to, image, estimator, device))
    return poses, Moments(len(whole), whole.fps, frames.indices(len(whole))[0], whole.fps / poses.fps)


def signer_frame(frame: Path) -> np.ndarray:
    """uint8 (H, W, 3): a rendering's first frame, as `read_first_frame`. UserError that names the order for poses."""
    try:
        return read_first_frame(frame)
    except UserError as error:
        if holds_poses(frame):
            raise UserError(f"{frame}: this is a pose file: FRAME comes first, then POSES") from error
        raise


def pose_in_image(path: Path, image: np.ndarray, estimator: str = "mediapipe", device: str = "cpu") -> PoseSequence:
    """The pose of the signer in `image`, uint8 (H, W, 3): the first of a pose file, or, for `ESTIMATE`, estimated."""
    if path == ESTIMATE:
        with ESTIMATORS[estimator](device=device) as estimate:
            return estimate_image(image, estimate)
    return read_poses(path, size=(image.shape[1], image.shape[0]))[:1]


def source_pose_of(
    image: np.ndarray,
    frame: Path,
    poses: Path,
    *,
    given: Path | None,
    estimator: str,
    pose_size: tuple[int, int] | None = None,
    person: str | None = None,
    device: str = "cpu",
) -> PoseSequence:
    """The pose of the signer in `image`, uint8 (H, W, 3), which was read from `frame`.

    It is the first of the pose file `given`; else the first of `poses`, where these have the name of `frame`, whatever
    its ending; else it is estimated. Where no estimator is installed, the first of `poses` is taken, with a warning.
    pose_size, person: of `poses`, as of `driving_poses`. device: of the estimator. Raises UserError where a pose
    cannot be read or found.
    """
    if given is not None:
        return pose_in_image(given, image, estimator, device)
    if frame.resolve().with_suffix("") == poses.resolve().with_suffix(""):
        return first_pose(poses, image, estimator, pose_size, person, device)
    try:
        return pose_in_image(ESTIMATE, image, estimator, device)
    except MissingEstimator as error:
        warn(f"{frame}: its signer is taken to be in the first pose of {poses}; --source-pose gives another. {error}")
        return first_pose(poses, image, estimator, pose_size, person, device)


def first_pose(
    path: Path,
    image: np.ndarray,
    estimator: str,
    pose_size: tuple[int, int] | None,
    person: str | None,
    device: str,
) -> PoseSequence:
    """The first pose of a pose file or a video, `path`; the other arguments are those of `driving_poses`."""
    if is_estimated(path):
        return pose_in_image(ESTIMATE, read_first_frame(path), estimator, device)
    return read_poses(path, size=(image.shape[1], image.shape[0]), pose_size=pose_size, person=person)[:1]


def is_estimated(path: Path) -> bool:
    """Whether the poses of a file or folder have to be estimated: it holds images and no poses."""
    return holds_video(path) or (holds_images(path) and not holds_pose_maps(path))
