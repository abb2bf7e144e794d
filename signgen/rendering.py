"""Rendering: a first frame and poses -> a stream of frames."""

from collections.abc import Iterable, Iterator
from itertools import repeat

import numpy as np
import torch

from signgen.background import locked_background
from signgen.errors import UserError
from signgen.framing import frame_picture, poses_on_picture
from signgen.models.pixels import to_frames
from signgen.models.pose_inputs import pose_inputs
from signgen.pipeline import SignerPipeline
from signgen.poses import PoseSequence
from signgen.sampling.noise import frame_generator, frame_noise

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
    lock_background: bool = True,
    noise_prior: bool = False,
) -> Iterator[np.ndarray]:
    """Yield a frame uint8 (H, W, 3), of the first frame's size, for every pose.

    frame: uint8 (H, W, 3), the signer. poses: whole-body key points in pixels of `poses.size`, brought to the frame's
    size. source_pose: its first frame is the signer's own pose in `frame`, which PCDMs need; in pixels of a picture
    that is brought to the frame's size likewise. lock_background: let the first frame show where
    the signer is not and the rendered frame agrees with it (`signgen.background`). noise_prior: start from the noised
    first frame, where the model's schedule leaves some of it. What is None is the model's own default.

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
    picture = framing.to_model(frame)
    initial, _ = frame_noise(pipeline.noise_shape(size), seed, [])
    if noise_prior:
        initial = pipeline.noised_source(picture, initial, options)

    def frames() -> Iterator[np.ndarray]:
        source = pipeline.encode_source(picture[None], own)
        for batch, generators in _batches(driving, seed, batch_size or BATCH_SIZE):
            inputs = pose_inputs(batch, size)
            noise = initial.expand(len(batch), *initial.shape[1:])
            images = pipeline.generate(source, inputs, noise, size=size, generators=generators, **options)
            generated = to_frames(images)
            locked: Iterable[np.ndarray | None] = repeat(None)
            if lock_background:
                views = (torch.tensor(view, device=generated.device) for view in (picture, inputs.drawings))
                locked = locked_background(generated, *views).cpu().numpy()
            for one, mask in zip(generated.cpu().numpy(), locked, strict=False):
                yield framing.to_picture(frame, one, mask)

    return frames()


def _batches(poses: PoseSequence, seed: int, batch_size: int) -> Iterator[tuple[PoseSequence, list[torch.Generator]]]:
    for start in range(0, len(poses), batch_size):
        batch = poses[start : start + batch_size]
        yield batch, [frame_generator(seed, index) for index in range(start, start + len(batch))]
