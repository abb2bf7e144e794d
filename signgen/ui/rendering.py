"""What the page renders: two videos from two files, in a process of its own."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from signgen.io.model_location import model_folder, model_name
from signgen.io.provenance import model_hash, provenance
from signgen.poses import draw_poses
from signgen.rendering.generator import render
from signgen.rendering.render_to_file import load_pipeline
from signgen.runtime.progress import Progress
from signgen.systems.base import SignerPipeline
from signgen.ui.actions import Inputs, Limits, Tell, read_inputs, told_progress
from signgen.video import VideoWriter


def render_files(
    image: Path,
    poses: Path,
    smooth: bool,
    align: bool,
    limits: Limits,
    model: str,
    steps: int | None,
    seed: int,
    folder: Path,
    tell: Tell,
) -> tuple[Path, Path]:
    """`render_videos` of two files."""
    inputs = read_inputs(image, poses, smooth, align, limits, tell)
    return render_videos(inputs, model, steps, seed, folder, told_progress(tell))


def render_videos(
    inputs: Inputs, model: str, steps: int | None, seed: int, folder: Path, progress: Progress
) -> tuple[Path, Path]:
    """Write the signer signing, and the same beside the skeleton, into `folder`; returns both paths."""
    pipeline, name, digest = load_model(model)
    height, width, _ = inputs.image.shape
    origin = provenance(name, digest, seed)
    video, beside = folder / "signing.mp4", folder / "side-by-side.mp4"
    frames = render(pipeline, inputs.image, inputs.poses, source_pose=inputs.source_pose, steps=steps, seed=seed)
    pose_maps = draw_poses(inputs.poses, height, width)
    fps, count = inputs.poses.fps, len(inputs.poses)
    with (
        VideoWriter(video, fps, (width, height), origin) as alone,
        VideoWriter(beside, fps, (2 * width, height), origin) as both,
    ):
        for frame, drawing in zip(progress(frames, count, "Rendering"), pose_maps, strict=True):
            alone.write(frame)
            both.write(np.hstack([drawing, frame]))
    return video, beside


@lru_cache(maxsize=1)
def load_model(model: str) -> tuple[SignerPipeline, str, str]:
    """The pipeline, its name and its hash; the last one stays in memory."""
    folder = model_folder(model)
    return load_pipeline(folder, "auto", torch.float32), model_name(model), model_hash(folder)
