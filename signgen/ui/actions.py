"""What the page does: inputs are looked at, drawn, and rendered. Nothing here knows of the browser."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from signgen.errors import UserError
from signgen.io.model_location import model_folder
from signgen.io.provenance import model_hash, provenance
from signgen.poses import PoseSequence, draw_pose, draw_poses
from signgen.poses.drawing import overlaid
from signgen.poses.driving import ESTIMATE, driving_poses
from signgen.rendering.framing import poses_on_picture
from signgen.rendering.generator import render
from signgen.rendering.render_to_file import load_pipeline
from signgen.systems.base import SignerPipeline
from signgen.video import VideoWriter, is_video, open_video, read_first_frame

PREVIEWED = 4
MAX_SIDE = 2048  # pixels of the picture: frames of it are held in memory

Progress = Callable[[Iterable, int, str], Iterable]


@dataclass(frozen=True)
class Limits:
    """What one rendering may ask for: megabytes of a file, and frames."""

    megabytes: int = 50
    frames: int = 500


@dataclass(frozen=True)
class Inputs:
    """picture: uint8 (H, W, 3). poses: whole-body, in its pixels."""

    picture: np.ndarray
    poses: PoseSequence


def read_picture(path: Path) -> np.ndarray:
    """uint8 (H, W, 3): a picture, or the first frame of a video. UserError for anything else or too large a one."""
    frame = read_first_frame(path)
    height, width, _ = frame.shape
    if max(height, width) > MAX_SIDE:
        raise UserError(f"{path}: {width}x{height} pixels; this page takes pictures of up to {MAX_SIDE} on a side")
    return frame


def read_inputs(picture: Path, poses: Path, smooth: bool, align: bool, limits: Limits, progress: Progress) -> Inputs:
    """The signer and the movements. Raises UserError for files that cannot be used, or ask for too much."""
    frame = read_picture(picture)
    height, width, _ = frame.shape
    if is_video(poses):
        with open_video(poses) as video:
            _check_length(len(video), limits)
    found, _ = driving_poses(
        poses, frame, progress, smooth="one-euro" if smooth else None, align_to=ESTIMATE if align else None
    )
    _check_length(len(found), limits)
    return Inputs(frame, poses_on_picture(found, width, height))


def preview(inputs: Inputs) -> np.ndarray:
    """The skeleton over the picture at a few moments, side by side: uint8 (H, W', 3)."""
    height, width, _ = inputs.picture.shape
    last = len(inputs.poses) - 1
    moments = sorted({round(last * part / (PREVIEWED - 1)) for part in range(PREVIEWED)})
    dimmed = (inputs.picture * 0.6).astype(np.uint8)
    poses = inputs.poses
    return np.hstack([overlaid(dimmed, draw_pose(poses.keypoints[m], height, width, poses.skeleton)) for m in moments])


def render_videos(
    inputs: Inputs, model: str, steps: int | None, seed: int, folder: Path, progress: Progress
) -> tuple[Path, Path]:
    """Write the signer signing, and the same beside the skeleton, into `folder`; returns both paths."""
    pipeline, name, digest = load_model(model)
    height, width, _ = inputs.picture.shape
    origin = provenance(name, digest, seed)
    video, beside = folder / "signing.mp4", folder / "side-by-side.mp4"
    frames = render(pipeline, inputs.picture, inputs.poses, steps=steps, seed=seed)
    drawings = draw_poses(inputs.poses, height, width)
    fps, count = inputs.poses.fps, len(inputs.poses)
    with (
        VideoWriter(video, fps, (width, height), origin) as alone,
        VideoWriter(beside, fps, (2 * width, height), origin) as both,
    ):
        for frame, drawing in zip(progress(frames, count, "Rendering"), drawings, strict=True):
            alone.write(frame)
            both.write(np.hstack([drawing, frame]))
    return video, beside


@lru_cache(maxsize=1)
def load_model(model: str) -> tuple[SignerPipeline, str, str]:
    """The pipeline, its name and its hash; the last one stays in memory."""
    folder = model_folder(model)
    return load_pipeline(folder, "auto", torch.float32), Path(model).resolve().name, model_hash(folder)


def _check_length(frames: int, limits: Limits) -> None:
    if frames > limits.frames:
        raise UserError(f"{frames} frames; this page renders up to {limits.frames}: cut the poses or the video shorter")
