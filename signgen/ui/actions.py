"""What the page does with files: it looks at them and draws them, in a process of its own: they are of strangers."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.poses import PoseSequence, draw_pose
from signgen.poses.drawing import overlaid
from signgen.poses.driving import ESTIMATE, driving_poses, source_pose_of
from signgen.rendering.framing import poses_on_image
from signgen.runtime.progress import Progress
from signgen.video import is_video, open_video, read_first_frame

PREVIEWED = 4
MAX_SIDE = 2048  # pixels of the image: frames of it are held in memory

Tell = Callable[[Any], None]


@dataclass(frozen=True)
class Limits:
    """What one rendering may ask for: megabytes of a file, frames, and seconds."""

    megabytes: int = 50
    frames: int = 500
    seconds: int = 600


@dataclass(frozen=True)
class Inputs:
    """image: uint8 (H, W, 3). poses: whole-body, in its pixels. source_pose: the signer's own in the image."""

    image: np.ndarray
    poses: PoseSequence
    source_pose: PoseSequence


def read_image(path: Path) -> np.ndarray:
    """uint8 (H, W, 3): an image, or the first frame of a video. UserError for anything else or too large a one."""
    frame = read_first_frame(path)
    height, width, _ = frame.shape
    if max(height, width) > MAX_SIDE:
        raise UserError(f"{path}: {width}x{height} pixels; this page takes images of up to {MAX_SIDE} on a side")
    return frame


def read_inputs(
    image: Path,
    poses: Path,
    smooth: bool,
    align: bool,
    limits: Limits,
    tell: Tell,
) -> Inputs:
    """The signer and the movements. Raises UserError for files that cannot be used, or ask for too much."""
    frame = read_image(image)
    height, width, _ = frame.shape
    if is_video(poses):
        with open_video(poses) as video:
            _check_length(len(video), limits)
    progress = told_progress(tell)
    found, _ = driving_poses(
        poses, frame, progress, smooth="one-euro" if smooth else None, align_to=ESTIMATE if align else None
    )
    _check_length(len(found), limits)
    given = ESTIMATE if align else None
    own = source_pose_of(frame, image, poses, given=given, estimator="mediapipe")
    return Inputs(frame, poses_on_image(found, width, height), poses_on_image(own, width, height))


def preview(inputs: Inputs) -> np.ndarray:
    """The skeleton over the image at a few moments, side by side: uint8 (H, W', 3)."""
    height, width, _ = inputs.image.shape
    last = len(inputs.poses) - 1
    moments = sorted({round(last * part / (PREVIEWED - 1)) for part in range(PREVIEWED)})
    dimmed = (inputs.image * 0.6).astype(np.uint8)
    poses = inputs.poses
    return np.hstack([overlaid(dimmed, draw_pose(poses.keypoints[m], height, width, poses.skeleton)) for m in moments])


def look_at(
    image: Path | None, poses: Path | None, smooth: bool, align: bool, limits: Limits, tell: Tell
) -> tuple[np.ndarray | None, bool]:
    """What is shown of the files that there are, uint8 (H, W, 3), and whether they can be rendered."""
    if image is None:
        return None, False
    if poses is None:
        return read_image(image), False
    return preview(read_inputs(image, poses, smooth, align, limits, tell)), True


def told_progress(tell: Tell) -> Progress:
    """Progress as messages: (done, total, what)."""

    def track(items: Iterable[Any], total: int, what: str) -> Iterator[Any]:
        for done, item in enumerate(items):
            tell((done, total, what))
            yield item

    return track


def _check_length(frames: int, limits: Limits) -> None:
    if frames > limits.frames:
        raise UserError(f"{frames} frames; this page renders up to {limits.frames}: cut the poses or the video shorter")
