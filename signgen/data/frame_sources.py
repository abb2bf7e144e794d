"""Sources of training frames: frames are decoded when they are needed, or decoded once and kept in memory."""

import os
from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch

from signgen.data.corpus import Corpus
from signgen.data.for_each_clip import for_each_clip
from signgen.errors import UserError
from signgen.video import VideoReader
from signgen.video.image_arrays import resize_image

OPEN_READERS = 8  # per worker; a reader of a short H.264 clip holds a few MB


class FrameSource(Protocol):
    """Gives frames of a clip by number."""

    def frames(self, clip: int, indices: Sequence[int]) -> list[np.ndarray]:
        """uint8 (H, W, 3) each, all of one size; they must not be written to."""


class DecodedFrames:
    """Decodes single frames, and keeps the last readers open. It can be pickled and used in forked processes."""

    def __init__(self, corpus: Corpus, lengths: np.ndarray, size: tuple[int, int]) -> None:
        self.corpus, self.lengths, self.size = corpus, lengths, size
        self._readers: OrderedDict[int, VideoReader] = OrderedDict()
        self._owner = os.getpid()

    def frames(self, clip: int, indices: Sequence[int]) -> list[np.ndarray]:
        """Frames of one clip, resized. Raises UserError if they are missing or not as many as its poses."""
        reader = self._reader(clip)
        # one by one, since single images may differ in size; in order, since seeking back is slow
        found = {index: resize_image(reader[index], self.size) for index in sorted(set(indices))}
        return [found[index] for index in indices]

    def _reader(self, clip: int) -> VideoReader:
        if self._owner != os.getpid():  # file positions are shared with the process that forked us: open anew
            self._readers, self._owner = OrderedDict(), os.getpid()
        if clip not in self._readers:
            self._readers[clip] = _open_checked(self.corpus, clip, self.lengths[clip])
            if len(self._readers) > OPEN_READERS:
                self._readers.popitem(last=False)[1].close()
        self._readers.move_to_end(clip)
        return self._readers[clip]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_readers": OrderedDict()}


class StoredFrames:
    """Every frame of a corpus in one uint8 tensor (164 kB a frame at 210x260): torch shares its memory with workers,
    however they are started."""

    def __init__(self, corpus: Corpus, lengths: np.ndarray, size: tuple[int, int]) -> None:
        self.offsets = np.cumsum([0, *lengths])
        self.pixels = torch.empty((int(self.offsets[-1]), *size, 3), dtype=torch.uint8)
        pixels = self.pixels.numpy()

        def decode(clip: int) -> None:
            with _open_checked(corpus, clip, lengths[clip]) as reader:
                places = iter(range(self.offsets[clip], self.offsets[clip + 1]))
                for frame, place in zip(reader, places, strict=False):
                    pixels[place] = resize_image(frame, size)
            if missing := len(list(places)):
                raise UserError(f"{corpus[clip].frames}: {missing} of {lengths[clip]} frames cannot be decoded")

        for_each_clip(decode, len(corpus), "Decoding clips")

    def frames(self, clip: int, indices: Sequence[int]) -> list[np.ndarray]:
        """Views of the stored frames."""
        return [self.pixels[self.offsets[clip] + index].numpy() for index in indices]


def _open_checked(corpus: Corpus, clip: int, length: int) -> VideoReader:
    reader = corpus.reader(clip)
    if len(reader) != length:
        reader.close()
        path = corpus[clip].frames
        raise UserError(f"{path}: {len(reader)} frames but {length} poses; see `signgen data check`")
    return reader
