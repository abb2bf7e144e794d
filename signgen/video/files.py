"""Video files, read through PyAV.

PyAV is the only backend: decord gives the same pixels, and is faster only against a seek per frame, which
`VideoFile` avoids by decoding each group of images once, in order.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

from signgen.errors import UserError, one_line, warn
from signgen.video.kinds import ALLOWED, file_url
from signgen.video.orientation import display_matrix, upright
from signgen.video.readers import FOLDER_FPS, VideoReader
from signgen.video.tone_mapping import NAMES, to_sdr

# FFmpeg's default conversion darkens RGB by about one level of 255 and doubles the error at colour edges;
# this one does neither. It runs on one thread: FFmpeg's pool costs more than it saves at these sizes.
# By number (bicubic, accurate rounding, full chroma): PyAV 17, the last for Python 3.10, does not name them all.
EXACT = 0x4 | 0x40000 | 0x2000


MAX_PIXELS = 1 << 24  # of a frame: twice as many as 4K has; a decoder holds some
# Rates beyond this are no rates of a camera but the ticks of the clock in which a file without a rate counts.
PLAUSIBLE_FPS = 120
# Pixels so near to square are taken as square; others are no pixels.
SQUARE, STRANGE = 0.01, 4.0


class _Packet(NamedTuple):
    """What the index needs of a packet."""

    pts: int
    keyframe: bool
    discard: bool
    size: int

    @classmethod
    def of(cls, packet: Any) -> "_Packet":
        return cls(packet.pts, packet.is_keyframe, packet.is_discard, packet.size)


@dataclass(frozen=True)
class _Index:
    """Presentation times of the frames, in order, and which of them are key frames."""

    times: list[int]
    keyframes: list[int]
    position: dict[int, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", {time: i for i, time in enumerate(self.times)})

    def keyframe_before(self, frame: int) -> int:
        return self.keyframes[bisect_right(self.keyframes, frame) - 1]


class VideoFile(VideoReader):
    """A video file. Frames come upright (display matrix applied), in square pixels, as 8-bit RGB of standard range.

    `len` and random access need the times of all frames: the first use reads all packets, without decoding.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._times: _Index | None = None
        self._decoded: Iterator[Any] = iter(())
        self._next = -1  # the frame that _decoded gives next; -1: none was asked for yet
        self._wanted_time = 0  # of the frame that random access looks for
        # Of random access; iteration opens its own. Opening a file costs about as much as decoding a frame, so that
        # the packets read here are kept, and the index goes on with the next one.
        self._container: Any = self._open()
        self._packets: list[_Packet] = []
        stream = self._container.streams.video[0]
        self._wideness = _wideness(stream)
        self._transfer = int(stream.codec_context.color_trc)
        first = self._first_frame()
        self._stored_size = first.width, first.height
        matrix = display_matrix(first)
        if matrix is None:
            raise UserError(f"{self.path}: turned by {first.rotation} degrees; only quarter turns are supported")
        self._matrix = matrix
        self.fps = self._rate(stream)
        height, width, _ = self._image(first).shape
        self.size = (width, height)
        self._warn(stream)

    @property
    def stored_size(self) -> tuple[int, int]:
        width, height = self._stored_size
        return (width, height) if self._matrix[0] else (height, width)

    def __len__(self) -> int:
        return len(self._index.times)

    def __iter__(self) -> Iterator[np.ndarray]:
        with self._open(threads=0) as container:
            for frame in self._decode(container):
                yield self._image(frame)

    def frames(self, indices: Sequence[int]) -> np.ndarray:
        wanted = self._checked(indices)
        images = {index: self._image(self._frame(index)) for index in sorted(set(wanted))}
        return np.stack([images[index] for index in wanted])

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None
            self._decoded = iter(())  # it refers to this reader: the decoder's memory would wait for the next gc

    def _frame(self, index: int) -> Any:
        """Decode on from where the last call stopped, unless a key frame lies between there and `index`."""
        keyframe = self._index.keyframe_before(index)
        if self._container is None or not keyframe <= self._next <= index:
            self._seek(keyframe)
        self._wanted_time = self._index.times[index]
        for frame in self._decoded:
            self._next = self._index.position.get(frame.pts, self._next) + 1
            if self._next > index:
                return frame
        raise UserError(f"{self.path}: frame {index} cannot be decoded")

    def _seek(self, keyframe: int) -> None:
        if self._container is None or not (keyframe or self._rewinds):
            self.close()
            self._container = self._open()
        if keyframe or self._rewinds:
            try:
                self._container.seek(self._index.times[keyframe], stream=self._container.streams.video[0])
            except (av.FFmpegError, OverflowError) as error:
                raise UserError(f"{self.path}: broken video ({one_line(error)})") from error
        self._decoded = self._decode_towards_wanted(self._container)
        self._next = keyframe

    @property
    def _rewinds(self) -> bool:
        """Whether the container finds its first frame again for sure; others are opened anew."""
        return any(name in self._container.format.name for name in ("mp4", "matroska"))

    def _decode_towards_wanted(self, container: Any) -> Iterator[Any]:
        """The frames from here on, without those before the wanted one that no other frame refers to.

        They are most of the B-frames: where there are any, random access is almost twice as fast.
        """
        stream = container.streams.video[0]
        try:
            for packet in container.demux(stream):
                passed_over = packet.pts is not None and packet.pts < self._wanted_time
                stream.codec_context.skip_frame = "NONREF" if passed_over else "DEFAULT"
                yield from packet.decode()
        except av.FFmpegError as error:
            raise UserError(f"{self.path}: broken video ({one_line(error)})") from error

    @property
    def _index(self) -> _Index:
        if self._times is None:
            self._times = self._find_index()
        return self._times

    def _rate(self, stream: Any) -> float:
        """Frames a second: as the file says; by the frames' times where it says nothing, or counts ticks."""
        average = float(stream.average_rate or 0)
        if average and (average <= PLAUSIBLE_FPS or "mp4" in self._container.format.name):
            return average
        times = self._index.times
        seconds = float((times[-1] - times[0]) * stream.time_base)
        return (len(times) - 1) / seconds if seconds > 0 else FOLDER_FPS

    def _warn(self, stream: Any) -> None:
        if self._wideness != 1:
            warn(
                f"{self.path}: its pixels are not square ({stream.sample_aspect_ratio}); frames are shown as "
                f"{self.size[0]}x{self.size[1]}"
            )
        if self._transfer in NAMES:
            warn(f"{self.path}: high dynamic range ({NAMES[self._transfer]}), brought to that of ordinary displays")

    def _first_frame(self) -> Any:
        stream = self._container.streams.video[0]
        try:
            for packet in self._container.demux(stream):
                self._packets.append(_Packet.of(packet))
                for frame in packet.decode():
                    return frame
        except av.FFmpegError as error:
            raise UserError(f"{self.path}: broken video ({one_line(error)})") from error
        raise UserError(f"{self.path}: the video has no frames")

    def _find_index(self) -> _Index:
        if self._container is None:
            self._container, self._packets = self._open(), []
        stream = self._container.streams.video[0]
        try:
            self._packets += map(_Packet.of, self._container.demux(stream))
        except av.FFmpegError as error:
            raise UserError(f"{self.path}: broken video ({one_line(error)})") from error
        packets = [packet for packet in self._packets if packet.size]
        # other containers' headers count what they would need at a constant rate, or nothing
        if "mp4" in self._container.format.name and len(packets) < stream.frames:
            raise UserError(f"{self.path}: cut off: it holds {len(packets)} of its {stream.frames} frames")
        packets = [packet for packet in packets if not packet.discard]
        times = {packet.pts for packet in packets}
        if None in times or len(times) < len(packets):
            return self._index_by_decoding()
        packets.sort()
        keyframes = [i for i, packet in enumerate(packets) if packet.keyframe or i == 0]
        return _Index([packet.pts for packet in packets], keyframes)

    def _index_by_decoding(self) -> _Index:
        """For containers without times (raw streams, some AVI): every access decodes from the start."""
        with self._open() as container:
            count = sum(1 for _ in self._decode(container))
        return _Index([-1 - i for i in range(count)], [0])

    def _open(self, threads: int = 1) -> Any:
        """The container, its decoder set to `threads` (0: one per core; they take 2 ms to start)."""
        if not self.path.is_file():
            raise UserError(f"{self.path}: no such video")
        try:
            container = av.open(file_url(self.path), options=ALLOWED)
        except (av.FFmpegError, ValueError) as error:
            raise UserError(f"{self.path}: not a video, or a broken one ({one_line(error)})") from error
        if not container.streams.video:
            container.close()
            raise UserError(f"{self.path}: there is no video in the file")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            container.close()
            raise UserError(f"{self.path}: its video is of an unknown codec: convert it")
        if stream.width * stream.height > MAX_PIXELS:
            container.close()
            raise UserError(f"{self.path}: {stream.width}x{stream.height} pixels are too many: make the video smaller")
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.thread_count, stream.thread_type = threads, "AUTO"
        return container

    def _decode(self, container: Any) -> Iterator[Any]:
        try:
            yield from container.decode(video=0)
        except av.FFmpegError as error:
            raise UserError(f"{self.path}: broken video ({one_line(error)})") from error

    def _image(self, frame: Any) -> np.ndarray:
        """uint8 (H, W, 3), upright."""
        if (frame.width, frame.height) != self._stored_size:
            sizes = "{}x{} to {}x{}".format(*self._stored_size, frame.width, frame.height)
            raise UserError(f"{self.path}: its frames change size midway, from {sizes}: cut or convert the video")
        width = max(1, round(frame.width * self._wideness))
        try:
            rgb = frame.reformat(width=width, format="rgb24", interpolation=EXACT, threads=1).to_ndarray()
        except (av.FFmpegError, ValueError) as error:
            raise UserError(f"{self.path}: broken video ({one_line(error)})") from error
        image = upright(rgb, self._matrix)
        return to_sdr(image, self._transfer) if self._transfer in NAMES else image


def _wideness(stream: Any) -> float:
    """How much wider than high a pixel is; 1 where that is nearly so, unknown, or absurd."""
    ratio = float(stream.sample_aspect_ratio or 1)
    return ratio if abs(ratio - 1) > SQUARE and 1 / STRANGE <= ratio <= STRANGE else 1.0
