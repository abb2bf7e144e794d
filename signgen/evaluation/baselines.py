"""The rows of a benchmark: ways to make a clip of its first frame and its poses, written as folders of images.

Images, not videos: what is scored is the model's work, without a codec's.

A model stands between the first frame copied, what not moving scores, or warped, what moving it without a model scores,
and the autoencoder alone, the ceiling of any model that decodes with it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch

from signgen.data import Corpus, DrivenClip, first_frame_protocol
from signgen.evaluation.warp import warp_by_points, with_limbs
from signgen.io.atomic_files import atomic_folder, keep_settings
from signgen.models.autoencoder import decode, encode
from signgen.models.first_frame import FirstFrame
from signgen.models.pixels import to_frames, to_images
from signgen.rendering.framing import frame_image, poses_on_image
from signgen.rendering.generator import render
from signgen.runtime.batch_size import BATCH_SIZE
from signgen.runtime.progress import Progress, silent
from signgen.systems.base import SignerPipeline
from signgen.video.image_arrays import write_png

Row = Callable[[DrivenClip], Iterable[np.ndarray]]
SETTINGS = "row.json"


def copied(clip: DrivenClip) -> Iterable[np.ndarray]:
    """The first frame, again and again."""
    return repeat(clip.first_frame, len(clip.poses))


def warped(clip: DrivenClip) -> Iterator[np.ndarray]:
    """The first frame, moved by its keypoints to where each pose has them."""
    first, *_ = keypoints = [with_limbs(points, clip.poses.skeleton) for points in clip.poses.keypoints]
    return (warp_by_points(clip.first_frame, first, points) for points in keypoints)


def transported(clip: DrivenClip) -> Iterator[np.ndarray]:
    """The first frame moved to each pose (`signgen.models.transport`), nothing generated."""
    keypoints = torch.from_numpy(clip.poses.scaled_to(clip.reference.size).keypoints)
    image = to_images(torch.from_numpy(clip.first_frame)[None])
    first = FirstFrame.of(image, keypoints[:1], torch.zeros_like(image))
    return (to_frames(first.moved_to(points[None]).image)[0].numpy() for points in keypoints)


def reconstructed(pipeline: SignerPipeline, fit: str | None = None) -> Row:
    """The reference through the model's autoencoder and back: framed as the model's images are, and of their size.

    What the model does not make, outside of a cropped window, is the first frame's here too.
    """
    size = tuple(pipeline.config.image_size)

    @torch.no_grad()
    def frames(clip: DrivenClip) -> Iterator[np.ndarray]:
        width, height = clip.reference.size
        placed = poses_on_image(clip.poses, width, height)
        framing = frame_image(clip.first_frame, placed, size, fit or pipeline.config.sampling.get("fit", "squash"))
        for start in range(0, len(clip.reference), BATCH_SIZE):
            batch = clip.reference.frames(range(start, min(start + BATCH_SIZE, len(clip.reference))))
            seen = np.stack([framing.to_model(frame) for frame in batch])
            images = to_images(torch.from_numpy(seen)).to(pipeline.device, pipeline.vae.dtype)
            decoded = to_frames(decode(pipeline.vae, encode(pipeline.vae, images), *size)).cpu().numpy()
            yield from (framing.to_image(clip.first_frame, one) for one in decoded)

    return frames


def rendered(pipeline: SignerPipeline, **options: Any) -> Row:
    """What the model makes of first frame and poses; options as of `signgen.rendering.generator.render`."""
    return lambda clip: render(pipeline, clip.first_frame, clip.poses, source_pose=clip.poses[:1], **options)


def write_row(
    row: Row,
    corpus: Corpus,
    folder: Path,
    settings: dict[str, Any],
    progress: Progress = silent,
) -> float:
    """Write the row's clips as FOLDER/NAME/000000.png, ... and return the frames a second, NaN if none was missing.

    Clips that are there are kept: an interrupted run goes on where it stopped. `settings` are stored beside them.
    Raises UserError where the folder holds clips made with other settings.
    """
    keep_settings(folder / SETTINGS, settings)
    missing = Corpus(tuple(clip for clip in corpus if not (folder / clip.name).is_dir()))
    count, start = 0, time.perf_counter()
    for driven in progress(first_frame_protocol(missing), len(missing), f"Rendering {folder.name}"):
        with atomic_folder(folder / driven.clip.name) as unfinished:
            for index, frame in enumerate(row(driven)):
                write_png(unfinished / f"{index:06}.png", frame)
        count += len(driven.poses)
    return count / (time.perf_counter() - start) if count else float("nan")
