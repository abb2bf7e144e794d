"""A worker's part: the model renders an order to the bytes of a clip's files."""

import hashlib
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from signgen.errors import UserError
from signgen.export.job_inputs import JobInputs
from signgen.export.quality_gate import QualityGate, Scores
from signgen.export.settings import ExportSettings
from signgen.io.model_location import model_folder, model_name
from signgen.io.provenance import model_hash, provenance
from signgen.rendering.generator import render
from signgen.rendering.render_to_file import load_pipeline
from signgen.runtime.batch_size import BATCH_SIZE
from signgen.video import VideoWriter
from signgen.video.image_arrays import png_bytes


@dataclass(frozen=True)
class Rendered:
    """A clip's media, one entry a file (a video, or images in order), and its scores. `error`: why there is none.

    sha256: of the frames, before they are encoded.
    """

    name: str
    media: tuple[bytes, ...] = ()
    scores: Scores = field(default_factory=Scores)
    sha256: str = ""
    error: str = ""


class ClipRenderer:
    """The model on one device."""

    def __init__(self, settings: ExportSettings, device: str) -> None:
        folder = model_folder(settings.model)
        self.settings = settings
        self.origin = (model_name(settings.model), model_hash(folder))
        dtype = None if settings.dtype == "auto" else getattr(torch, settings.dtype)
        self.pipeline = load_pipeline(folder, device, dtype)
        self.gate = QualityGate(settings.gate, str(self.pipeline.device))

    def render(self, order: JobInputs) -> Rendered:
        """Render one clip. What is wrong with the clip comes back as `error`; a machine's failure is raised."""
        # Not as many as there is memory for just now: frames of other batches are rounded otherwise.
        size = self.settings.batch_size or BATCH_SIZE
        options: dict[str, Any] = self.settings.rendering | {"seed": order.seed, "batch_size": size}
        try:
            stream = render(self.pipeline, order.image, order.poses, source_pose=order.source_pose, **options)
            frames = np.stack(list(stream))
        except UserError as error:
            return Rendered(order.name, error=str(error))
        media = self._video(order, frames) if self.settings.media == "mp4" else tuple(map(png_bytes, frames))
        digest = hashlib.sha256(frames.tobytes()).hexdigest()
        return Rendered(order.name, media, self.gate.score(frames, order.poses), digest)

    def _video(self, order: JobInputs, frames: np.ndarray) -> tuple[bytes]:
        height, width = frames.shape[1:3]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "clip.mp4")
            # One thread: the same bytes on machines with other numbers of cores.
            origin = provenance(*self.origin, order.seed)
            with VideoWriter(path, order.poses.fps, (width, height), origin, threads=1) as writer:
                for frame in frames:
                    writer.write(frame)
            return (path.read_bytes(),)
