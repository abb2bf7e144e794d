"""Rendering: a first frame and poses -> a stream of frames."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.framing import Framing, frame_picture, poses_on_picture
from signgen.models.pixels import to_frames
from signgen.models.pose_inputs import PoseInputs, pose_inputs
from signgen.pipeline import SignerPipeline
from signgen.poses import PoseSequence
from signgen.sampling.noise import frame_noise

BATCH_SIZE = 8


def render(
    pipeline: SignerPipeline,
    frame: np.ndarray,
    poses: PoseSequence,
    *,
    source_pose: PoseSequence | None = None,
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
    size. source_pose: its first frame is the signer's own pose in `frame`, which PCDMs need; in pixels of a picture
    that is brought to the frame's size likewise. What is None is the model's own default.
    Memory does not grow with the number of poses, and neither the batch size nor the number of poses changes a frame
    (beyond rounding). Raises UserError for input it cannot render.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise UserError(f"the first frame must be uint8 (height, width, 3), not {frame.dtype} {frame.shape}")
    if source_pose is None and pipeline.needs_source_pose:
        raise UserError("this model needs the pose of the signer in the first frame: give it as source pose")
    for given in (poses, source_pose):
        if given is not None and given.skeleton != "coco-wholebody-133":
            raise UserError(f"rendering needs whole-body poses (coco-wholebody-133), not {given.skeleton}")
    options = pipeline.sampling_options(
        steps=steps, solver=solver, guidance_source=guidance_source, guidance_fusion=guidance_fusion
    )
    size = tuple(pipeline.config.picture_size)
    height, width = frame.shape[:2]
    placed = poses_on_picture(poses, width=width, height=height)
    framing = frame_picture(frame, placed, size, fit or pipeline.config.sampling.get("fit", "squash"))
    driving = framing.poses_to_model(placed)
    own = None
    if source_pose is not None:
        own = pose_inputs(framing.poses_to_model(poses_on_picture(source_pose[:1], width=width, height=height)), size)
    return _frames(pipeline, frame, own, framing, driving, size, seed, batch_size or BATCH_SIZE, options)


def _frames(
    pipeline: SignerPipeline,
    frame: np.ndarray,
    own_pose: PoseInputs | None,
    framing: Framing,
    poses: PoseSequence,
    size: tuple[int, int],
    seed: int,
    batch_size: int,
    options: dict[str, Any],
) -> Iterator[np.ndarray]:
    source = pipeline.encode_source(framing.to_model(frame)[None], own_pose)
    for start in range(0, len(poses), batch_size):
        batch = poses[start : start + batch_size]
        noise, generators = frame_noise(pipeline.noise_shape(size), seed, range(start, start + len(batch)))
        images = pipeline.generate(
            source,
            pose_inputs(batch, size),
            noise.expand(len(batch), *noise.shape[1:]),
            size=size,
            generators=generators,
            **options,
        )
        for generated in to_frames(images).cpu().numpy():
            yield framing.to_picture(frame, generated)
