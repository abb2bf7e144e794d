"""Writes frames to an H.264 video, one by one."""

from collections.abc import Mapping
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_path
from signgen.video.files import EXACT
from signgen.video.kinds import file_url

# Near-transparent quality: what is seen and measured is the model's work, not the codec's.
CRF = "15"
MAX_SIDE = 16384
# FFmpeg's numbers for matrix, primaries and transfer, and the name of the matrix: by convention, SD and HD
# differ.
_SD, _HD = ((6, 6, 6), "ITU601"), ((1, 1, 1), "ITU709")


class VideoWriter:
    """Write frames one by one to an MP4: H.264, yuv420p, moov first, exactly as many frames as were written.

    A context manager: the file appears under its name when the block ends, and not at all on an exception.
    Odd sizes are completed to even ones, as yuv420p needs, by repeating the last column or row.

    Args:
        path: the file to write, *.mp4.
        fps: frames per second.
        size: (width, height) of the frames.
        metadata: provenance, stored as key=value in the file.
        threads: of the encoder; 0: as many as the machine has cores. Equal frames give equal bytes for equal numbers.

    Raises UserError for an absurd size or rate, or where no frame was written.
    """

    def __init__(
        self,
        path: str | Path,
        fps: float,
        size: tuple[int, int],
        metadata: Mapping[str, str] | None = None,
        threads: int = 0,
    ):
        if not all(1 <= side <= MAX_SIDE for side in size):
            raise UserError(f"video size {size[0]}x{size[1]}: sides must be from 1 to {MAX_SIDE} pixels")
        if not 0 < fps <= 1000:
            raise UserError(f"{fps} frames per second: it must be more than 0 and at most 1000")
        self.path = Path(path)
        self.size = size
        self.count = 0
        self._rate = Fraction(fps).limit_denominator(1001)
        self._metadata = dict(metadata or {})
        self._threads = threads
        self._stack = ExitStack()

    def __enter__(self) -> "VideoWriter":
        temporary = self._stack.enter_context(atomic_path(self.path))
        # use_metadata_tags: without it, MP4 keeps only a handful of known keys
        options = {"movflags": "+faststart+use_metadata_tags"}
        container = av.open(file_url(temporary), "w", format="mp4", options=options)
        self._container: Any = self._stack.enter_context(container)
        self._container.metadata.update(self._metadata)
        self._stream = self._add_stream()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, traceback: Any) -> bool | None:
        try:
            if kind is None:
                self._finish()
        except BaseException as failure:
            self._stack.__exit__(type(failure), failure, failure.__traceback__)
            raise
        return self._stack.__exit__(kind, error, traceback)

    def write(self, frame: np.ndarray) -> None:
        """Append one frame, uint8 (H, W, 3) of the writer's size."""
        width, height = self.size
        if frame.shape != (height, width, 3) or frame.dtype != np.uint8:
            raise ValueError(f"frame {frame.dtype} {frame.shape}, expected uint8 {(height, width, 3)}")
        even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")
        image = rgb.reformat(format="yuv420p", dst_colorspace=self._matrix, interpolation=EXACT, threads=1)
        image.pts, image.time_base = self.count, 1 / self._rate
        self._container.mux(self._stream.encode(image))
        self.count += 1

    def _add_stream(self) -> Any:
        width, height = self.size
        # Not x264's macroblock tree: with AVX-512 it reads what happens to lie in memory, and equal frames then make
        # unequal files. Measured with and without: a fifth more bytes at the same quality setting.
        stream = self._container.add_stream("libx264", rate=self._rate, options={"crf": CRF, "mbtree": "0"})
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        # tagged by convention, so that readers that ignore the tags get the colours right as well
        tags, self._matrix = _SD if height <= 576 else _HD
        context = stream.codec_context
        context.thread_count = self._threads
        context.colorspace, context.color_primaries, context.color_trc = tags
        context.color_range = 1  # limited
        return stream

    def _finish(self) -> None:
        if not self.count:
            raise UserError(f"{self.path}: there are no frames to write")
        self._container.mux(self._stream.encode(None))
