"""All the poses of a corpus in one array: samples open no pose file, and worker processes share the memory."""

from dataclasses import dataclass

import numpy as np
import torch

from signgen.data.corpus import Corpus
from signgen.data.corpus_pose_files import PoseFiles
from signgen.data.for_each_clip import for_each_clip
from signgen.errors import UserError
from signgen.poses import PoseSequence


@dataclass(frozen=True)
class PackedPoses:
    """`keypoints` float32 (frames of all clips, K, 3); clip c owns rows `offsets[c]` to `offsets[c + 1]`.

    They are a tensor because torch shares its memory with a worker, however the worker is started.
    """

    keypoints: torch.Tensor
    offsets: np.ndarray
    skeleton: str

    @property
    def lengths(self) -> np.ndarray:
        """Number of frames of each clip, int64 (clips,)."""
        return np.diff(self.offsets)

    def frame(self, clip: int, frame: int) -> np.ndarray:
        """A copy of the keypoints of one frame, (K, 3)."""
        return self.keypoints[self.offsets[clip] + frame].numpy().copy()


def pack_poses(corpus: Corpus, size: tuple[int, int]) -> PackedPoses:
    """Reads the poses of every clip, scaled to images of `size` (height, width): 1.6 kB a frame.

    Raises UserError for an empty corpus, a clip without poses, and clips of different skeletons.
    """
    if not len(corpus):
        raise UserError("the corpus has no clips")
    height, width = size
    files = PoseFiles(clip.poses for clip in corpus)

    def read(clip: int) -> PoseSequence:
        return corpus[clip].read_poses(files.open).scaled_to((width, height))

    poses = for_each_clip(read, len(corpus), "Reading poses")
    examples = {sequence.skeleton: clip.name for sequence, clip in zip(poses, corpus, strict=True)}
    if len(examples) > 1:
        found = " and ".join(f"{skeleton} ({name})" for skeleton, name in examples.items())
        raise UserError(f"the clips of a corpus must share one skeleton; here are {found}")
    offsets = np.cumsum([0, *map(len, poses)])
    keypoints = torch.from_numpy(np.concatenate([sequence.keypoints for sequence in poses])).contiguous()
    return PackedPoses(keypoints, offsets, *examples)
