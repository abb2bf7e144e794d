"""Rendering: a first frame and poses -> a stream of frames."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import repeat
from typing import Any

import numpy as np

from signgen.errors import UserError
from signgen.models.pixels import to_frames
from signgen.models.pose_inputs import pose_inputs
from signgen.poses import PoseSequence
from signgen.poses.skeleton_conversion import as_read
from signgen.rendering.framing import frame_image, poses_on_image
from signgen.runtime.batch_size import BATCH_SIZE, batch_sizes, device_memory
from signgen.runtime.pinned_copies import to_device, to_host
from signgen.runtime.prefetch import one_late
from signgen.sampling.noise import frame_generator, frame_noise
from signgen.sampling.options import SamplingOptions, warn_of_student
from signgen.systems.base import SignerPipeline

# How many frames there are, and the frames.
Batch = tuple[int, Callable[[], np.ndarray]]


def render(
    pipeline: SignerPipeline,
    frame: np.ndarray,
    poses: PoseSequence,
    *,
    source_pose: PoseSequence | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    fit: str | None = None,
    noise_prior: bool = False,
    **sampling: Any,
) -> Iterator[np.ndarray]:
    """Yield a frame uint8 (H, W, 3), of the first frame's size, for every pose.

    frame: uint8 (H, W, 3), the signer. poses: keypoints, of whole bodies or of the model's own skeleton, in pixels of
    `poses.size`, brought to the frame's size. source_pose: its first frame is the signer's own pose in `frame`, which
    PCDMs need and models that move the frame (`mini`): `poses[:1]` where the frame is the poses' first; in pixels of a
    image that is brought to the frame's size likewise. noise_prior: start from the noised first frame, where the
    model's schedule leaves some of it. batch_size: if not given, what there is memory for
    (`signgen.runtime.batch_size`). sampling: the options of `SamplingOptions`. What is None is the model's own default.

    Memory does not grow with the number of poses, and neither the batch size nor the number of poses changes a frame by
    more than one level of 255 (rounding). Raises UserError for input it cannot render.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise UserError(f"the first frame must be uint8 (height, width, 3), not {frame.dtype} {frame.shape}")
    if source_pose is None and pipeline.needs_source_pose(pipeline.config):
        raise UserError("this model needs the pose of the signer in the first frame: give it as source pose")
    poses = as_read(poses, pipeline.config.skeleton)
    source_pose = None if source_pose is None else as_read(source_pose, pipeline.config.skeleton)
    given = SamplingOptions(**sampling).sampling
    warn_of_student(pipeline.config.sampling, given)
    options = pipeline.sampling_options(**given)
    size = tuple(pipeline.config.image_size)
    height, width = frame.shape[:2]
    placed = poses_on_image(poses, width=width, height=height)
    placed_source = None if source_pose is None else poses_on_image(source_pose[:1], width=width, height=height)
    framing = frame_image(
        frame, joined(placed, placed_source), size, fit or pipeline.config.sampling.get("fit", "squash")
    )
    driving = framing.poses_to_model(placed)
    own = None if placed_source is None else pose_inputs(framing.poses_to_model(placed_source), size)
    image, canvas = framing.to_model(frame), framing.canvas(frame)
    initial, _ = frame_noise(pipeline.noise_shape(size), seed, [])
    if noise_prior:
        initial = pipeline.noised_source(image, initial, options)

    if batch_size is None and pipeline.compiled:
        batch_size = BATCH_SIZE  # a frame by itself, to measure, would be compiled by itself
    sizes = batch_sizes(device_memory(pipeline.device)) if batch_size is None else repeat(batch_size)

    def batches() -> Iterator[Batch]:
        source = pipeline.encode_source(image[None], own, canvas=canvas[None])
        for rows in _batches(len(driving), sizes, padded=pipeline.compiled):
            inputs = pose_inputs(driving[rows[0] : rows[-1] + 1], size)[rows - rows[0]]
            inputs = replace(inputs, pose_maps=to_device(inputs.pose_maps, pipeline.device))
            noise = initial.expand(len(rows), *initial.shape[1:])
            generators = [frame_generator(seed, index) for index in rows.tolist()]
            images = pipeline.generate(source, inputs, noise, size=size, generators=generators, **options)
            yield len(np.unique(rows)), to_host(to_frames(images))

    def frames() -> Iterator[np.ndarray]:
        # A device renders the next batch while the latest one is taken from it; a CPU does one after the other.
        for count, generated in batches() if pipeline.device.type == "cpu" else one_late(batches()):
            for one in generated()[:count]:
                yield framing.to_image(frame, one)

    return frames()


def joined(poses: PoseSequence, more: PoseSequence | None) -> PoseSequence:
    """Poses of one image, one after the other."""
    return poses if more is None else replace(poses, keypoints=np.concatenate([poses.keypoints, more.keypoints]))


def _batches(count: int, sizes: Iterator[int], padded: bool) -> Iterator[np.ndarray]:
    """The numbers of `count` frames, batch by batch; padded: the last frame once more until the batch is full."""
    start = 0
    while start < count:
        size = min(next(sizes), count)
        rows = np.arange(start, start + size)
        yield rows.clip(max=count - 1) if padded else rows[: count - start]
        start += size
