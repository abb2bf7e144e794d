"""The rows of a benchmark: several ways to make a clip from its first frame and its poses.

Clips are written as folders of pictures, so that a video codec does not change what is scored.

Three baselines calibrate the numbers. The first frame, copied: what a clip scores that does not move. The first frame,
warped: what moving it scores without a model. The autoencoder alone: no model that decodes with it can score more.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from signgen.data import Corpus, DrivenClip, first_frame_protocol
from signgen.evaluation.warp import warp_by_points, with_limbs
from signgen.io.atomic_files import atomic_folder, keep_settings
from signgen.models.autoencoder import decode, encode
from signgen.models.pixels import to_frames, to_images
from signgen.rendering.generator import render
from signgen.runtime.batch_size import BATCH_SIZE
from signgen.systems.base import SignerPipeline

Row = Callable[[DrivenClip], Iterable[np.ndarray]]
Progress = Callable[[Iterable[Any], int, str], Iterable[Any]]  # of clips, their number, what happens to them
SETTINGS = "row.json"


def copied(clip: DrivenClip) -> Iterable[np.ndarray]:
    """The first frame, again and again."""
    return repeat(clip.first_frame, len(clip.poses))


def warped(clip: DrivenClip) -> Iterator[np.ndarray]:
    """The first frame, moved by its key points to where each pose has them."""
    first, *_ = keypoints = [with_limbs(points, clip.poses.skeleton) for points in clip.poses.keypoints]
    return (warp_by_points(clip.first_frame, first, points) for points in keypoints)


def reconstructed(pipeline: SignerPipeline) -> Row:
    """The reference through the model's autoencoder and back."""

    @torch.no_grad()
    def frames(clip: DrivenClip) -> Iterator[np.ndarray]:
        width, height = clip.reference.size
        for start in range(0, len(clip.reference), BATCH_SIZE):
            batch = clip.reference.frames(range(start, min(start + BATCH_SIZE, len(clip.reference))))
            images = to_images(torch.from_numpy(batch)).to(pipeline.device, pipeline.vae.dtype)
            yield from to_frames(decode(pipeline.vae, encode(pipeline.vae, images), height, width)).cpu().numpy()

    return frames


def rendered(pipeline: SignerPipeline, **options: Any) -> Row:
    """The model's frames for the first frame and the poses. options: those of `signgen.rendering.generator.render`."""
    return lambda clip: render(pipeline, clip.first_frame, clip.poses, source_pose=clip.poses[:1], **options)


def write_row(
    row: Row,
    corpus: Corpus,
    folder: Path,
    settings: dict[str, Any],
    progress: Progress = lambda clips, total, what: clips,
) -> float:
    """Write the row's clips as FOLDER/NAME/000000.png, ... and return the frames a second, NaN if none was missing.

    Clips that exist are kept, so an interrupted run continues. `settings` are stored beside the clips.
    Raises UserError where the folder holds clips made with other settings.
    """
    keep_settings(folder / SETTINGS, settings)
    missing = Corpus(tuple(clip for clip in corpus if not (folder / clip.name).is_dir()))
    count, start = 0, time.perf_counter()
    for driven in progress(first_frame_protocol(missing), len(missing), f"Rendering {folder.name}"):
        with atomic_folder(folder / driven.clip.name) as unfinished:
            for index, frame in enumerate(row(driven)):
                Image.fromarray(frame).save(unfinished / f"{index:06}.png", compress_level=1)
        count += len(driven.poses)
    return count / (time.perf_counter() - start) if count else float("nan")
