"""Rendering: a first frame and poses -> a stream of frames."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.fpdm import FPDMPipeline
from signgen.framing import Framing, frame_picture, poses_on_picture
from signgen.models.pixels import to_frames
from signgen.poses import PoseSequence, draw_poses
from signgen.sampling.noise import frame_noise

BATCH_SIZE = 8


def render(
    pipeline: FPDMPipeline,
    frame: np.ndarray,
    poses: PoseSequence,
    *,
    steps: int | None = None,
    solver: str | None = None,
    guidance_source: float | None = None,
    guidance_fusion: float | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    fit: str | None = None,
) -> Iterator[np.ndarray]:
    """Yield a frame uint8 (H, W, 3), of the first frame's size, for every pose.

    frame: uint8 (H, W, 3), the signer. poses: whole-body key points in pixels of `poses.size`, brought to the frame's
    size. What is None is the model's own default. Memory does not grow with the number of poses, and neither the batch
    size nor the number of poses changes a frame (beyond rounding). Raises UserError for input it cannot render.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise UserError(f"the first frame must be uint8 (height, width, 3), not {frame.dtype} {frame.shape}")
    if poses.skeleton != "coco-wholebody-133":
        raise UserError(f"rendering needs whole-body poses (coco-wholebody-133), not {poses.skeleton}")
    options = pipeline.sampling_options(
        steps=steps, solver=solver, guidance_source=guidance_source, guidance_fusion=guidance_fusion
    )
    size = tuple(pipeline.config.picture_size)
    placed = poses_on_picture(poses, width=frame.shape[1], height=frame.shape[0])
    framing = frame_picture(frame, placed, size, fit or pipeline.config.sampling.get("fit", "squash"))
    driving = framing.poses_to_model(placed)
    return _frames(pipeline, frame, framing, driving, size, seed, batch_size or BATCH_SIZE, options)


def _frames(
    pipeline: FPDMPipeline,
    frame: np.ndarray,
    framing: Framing,
    poses: PoseSequence,
    size: tuple[int, int],
    seed: int,
    batch_size: int,
    options: dict[str, Any],
) -> Iterator[np.ndarray]:
    source = pipeline.encode_source(framing.to_model(frame)[None])
    for start in range(0, len(poses), batch_size):
        batch = poses[start : start + batch_size]
        noise, generators = frame_noise(pipeline.latent_shape(size), seed, range(start, start + len(batch)))
        images = pipeline.generate(
            source,
            np.stack(list(draw_poses(batch, *size))),
            noise.expand(len(batch), -1, -1, -1),
            size=size,
            generators=generators,
            **options,
        )
        for generated in to_frames(images).cpu().numpy():
            yield framing.to_picture(frame, generated)
