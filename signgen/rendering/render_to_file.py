"""Renders a first frame and poses to an MP4 that states its origin, as `signgen render` and `signgen demo` do."""

import json
import time
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_path
from signgen.io.model_config import model_index
from signgen.io.model_location import model_folder, model_name
from signgen.io.provenance import model_hash, provenance
from signgen.poses import PoseSequence
from signgen.poses.driving import Moments
from signgen.rendering.generator import render
from signgen.runtime.device import fastest_dtype, peak_memory, usable_device
from signgen.runtime.flops import device_flops
from signgen.runtime.prefetch import overlapped
from signgen.runtime.progress import Progress
from signgen.sampling.options import SamplingOptions
from signgen.systems.base import SignerPipeline
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.pipeline_flops import pipeline_flops
from signgen.systems.pcdm.pipeline import PCDMPipeline, StageFolder
from signgen.video import VideoReader, VideoWriter
from signgen.video.image_arrays import resize_image

PIPELINES: dict[str, type[SignerPipeline]] = {"FPDMPipeline": FPDMPipeline, "PCDMPipeline": PCDMPipeline}


def render_to_file(
    image: np.ndarray,
    poses: PoseSequence,
    output: Path,
    *,
    inputs: Mapping[str, Any],
    progress: Progress,
    source_pose: PoseSequence | None = None,
    keep_stages: Path | None = None,
    model: str = "mini",
    seed: int = 0,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    driving: "Driving | None" = None,
    save_memory: bool = False,
    compile: bool = False,
    count_flops: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """Render to an MP4, and write beside it, as OUT.mp4.json, what it was made with.

    Args:
        image: uint8 (H, W, 3), the signer.
        poses: the movements, in pixels of an image that they fit to.
        output: the MP4; it appears when it is complete.
        inputs: where image and poses come from, for the record.
        progress: wraps the stream of frames, given their number and what happens to them.
        source_pose: its first frame is the signer's own pose in `image`, which PCDMs need.
        keep_stages: a folder for the embeddings and coarse images of PCDMs' first stages.
        model: an embedded model's name, a model folder or a hub id.
        device: "auto" takes CUDA where there is one.
        dtype: of the networks; None takes bfloat16 where it is faster.
        driving: a video to put on the left.
        save_memory: `SignerPipeline.save_memory`.
        compile: `SignerPipeline.compile`.
        count_flops: count the operations that FPDM's networks take, which costs seconds, and report `flop_utilisation`.
        options: those of `signgen.rendering.generator.render`; None leaves the choice to the model.

    Returns what was written beside the video.
    """
    folder = model_folder(model)
    origin = provenance(model_name(model), model_hash(folder), seed)
    height, width = image.shape[:2]
    size = (width + (driving.width(height) if driving else 0), height)
    with VideoWriter(output, poses.fps, size, origin) as writer:
        pipeline = load_pipeline(folder, device, dtype)
        pipeline.save_memory(save_memory)
        if compile:
            pipeline.compile()
        if keep_stages is not None:
            if not isinstance(pipeline, PCDMPipeline):
                raise UserError(f"{model} has no stages to keep: only PCDMs have")
            if compile:  # what fills the last batch would be kept, too
                raise UserError("stages are not kept of a compiled model: leave out --compile or --keep-stages")
            pipeline.keep = StageFolder(keep_stages)
        start = time.monotonic()
        frames = render(pipeline, image, poses, source_pose=source_pose, seed=seed, **options)

        def write(numbered: tuple[int, np.ndarray]) -> None:
            index, frame = numbered
            writer.write(driving.beside(frame, index) if driving else frame)

        with overlapped(write) as hand_over:
            for numbered in enumerate(progress(frames, len(poses), "Rendering")):
                hand_over(numbered)
        # The record first, then the video: a video that is there has one.
        seconds = time.monotonic() - start
        record = {
            **{name: str(value) for name, value in inputs.items() if value is not None},
            "output": str(output),
            "frames": len(poses),
            "fps": poses.fps,
            "size": size,
            "seconds": round(seconds, 3),
            "frames_per_second": round(len(poses) / seconds, 3),
            "peak_memory_bytes": peak_memory(pipeline.device),
            **(flop_utilisation(pipeline, folder, len(poses), seconds, options) if count_flops else {}),
            **origin,
            "seed": seed,
            "device": str(pipeline.device),
            "dtype": str(pipeline.dtype).removeprefix("torch."),
            **pipeline.config.sampling,
            **{name: value for name, value in options.items() if value is not None},
        }
        with atomic_path(output.with_name(output.name + ".json")) as beside:
            beside.write_text(json.dumps(record, indent=2) + "\n")
    return record


def flop_utilisation(
    pipeline: SignerPipeline, folder: Path, frames: int, seconds: float, options: Mapping[str, Any]
) -> dict[str, float]:
    """For FPDM, what share of the device's arithmetic its networks used."""
    if not isinstance(pipeline, FPDMPipeline):
        return {}
    sampling = {each.name: options.get(each.name) for each in fields(SamplingOptions)}
    flops = pipeline_flops(FPDMPipeline.without_weights(folder), **sampling).of_video(frames)
    return {"flop_utilisation": round(flops / seconds / device_flops(pipeline.device, pipeline.dtype), 4)}


def pipeline_class(folder: Path) -> type[SignerPipeline]:
    """The system that a model folder holds. Raises UserError for one that signgen does not know."""
    name = model_index(folder).get("_class_name")
    if not isinstance(name, str) or name not in PIPELINES:
        raise UserError(f"{folder} holds a {name}: signgen renders with {', '.join(PIPELINES)}")
    return PIPELINES[name]


def load_pipeline(folder: Path, device: str, dtype: torch.dtype | None = None) -> SignerPipeline:
    """The pipeline of a model folder on a device, in the faster precision where none is given.

    Raises UserError for a device that is not there.
    """
    place = usable_device(device)
    return pipeline_class(folder).from_pretrained(folder, dtype=dtype or fastest_dtype(place)).to(place)


class Driving:
    """The video that poses come from, in step with them: frame by frame where it has as many frames as their file has
    poses, whatever the two rates, else by time.

    moments: which of the file's poses the `count` rendered ones are. Raises UserError if the video ends before they do.
    """

    def __init__(self, video: VideoReader, moments: Moments, count: int):
        self._video = video
        rate = 1 if len(video) == moments.count else video.fps / moments.fps
        # The small surplus keeps 0.04 s * 25 fps from falling short of frame 1.
        self._indices = [int(moments.of(pose) * rate + 1e-3) for pose in range(count)]
        if self._indices[-1] >= len(video):
            raise UserError(
                f"the video beside ends after {len(video)} frames, the poses need "
                f"{self._indices[-1] + 1}: give another video or fewer poses"
            )

    def width(self, height: int) -> int:
        """Its width in pixels when it is `height` pixels high."""
        return max(1, round(self._video.size[0] * height / self._video.size[1]))

    def beside(self, frame: np.ndarray, index: int) -> np.ndarray:
        """Frame `index` of the video, as high as `frame`, with `frame` (H, W, 3) on its right."""
        height = len(frame)
        left = resize_image(self._video[self._indices[index]], (height, self.width(height)))
        return np.hstack([left, frame])
