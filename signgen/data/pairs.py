"""Pairs of frames: the random triples of training and the first-frame protocol of testing (FPDM)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from signgen.data.augmentation import (
    Augmentation,
    change_colours,
    colour_transform,
    drop_resolution,
    flip_frame,
    flip_keypoints,
    jitter_keypoints,
)
from signgen.data.corpus import Clip, Corpus
from signgen.data.frames import DecodedFrames, FrameSource, StoredFrames
from signgen.data.keypoints import pack_poses
from signgen.errors import UserError
from signgen.poses import PoseSequence, draw_pose
from signgen.video import VideoReader

UNIFORMS = 8


class Triple(NamedTuple):
    """A training example by number: in clip `clip`, turn frame `source` into frame `target` by its pose."""

    clip: int
    source: int
    target: int


def sample_generator(seed: int, n: int) -> np.random.Generator:
    """The random numbers of sample `n`: a counter-based stream of its own, whatever process draws it."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, n))))


def draw_triple(lengths: np.ndarray, rng: np.random.Generator) -> Triple:
    """A clip, then two of its frames, independent and uniform; `lengths` (clips,) in frames."""
    clip = int(rng.integers(len(lengths)))
    source, target = rng.integers(lengths[clip], size=2)
    return Triple(clip, int(source), int(target))


class PairDataset(Dataset[dict[str, torch.Tensor]]):
    """Training samples of a corpus; sample n depends on (seed, n) alone, so that training resumes exactly.

    A sample is a dict of tensors: `source`, `target` and `pose`, the target's pose drawn, uint8 (H, W, 3);
    `keypoints`, the target's in pixels of (H, W), float32 (K, 3); `uniform` float32 (8,) in [0, 1), for
    timesteps and condition drops; `index` int64; and, given a `noise_shape`, standard normal `noise` float32.

    `preload` decodes every frame once into memory that forked workers share; otherwise frames are decoded
    when drawn. Pairs are drawn from `triples` where these are given, else from all pairs inside clips. Frames
    of another size are squashed to `size` (height, width). Raises UserError for clips that lack frames or
    poses.
    """

    def __init__(
        self,
        corpus: Corpus,
        size: tuple[int, int],
        length: int,
        seed: int,
        augmentation: Augmentation | None = None,
        noise_shape: tuple[int, ...] | None = None,
        preload: bool = False,
        triples: Sequence[Triple] | None = None,
    ) -> None:
        if triples is not None and not len(triples):
            raise UserError("the list of pairs is empty")
        if length < 1 or seed < 0 or min(size) < 1:
            raise UserError(f"length {length} and size {size} must be positive, seed {seed} not negative")
        self.size, self.length, self.seed = size, length, seed
        self.augmentation = augmentation or Augmentation()
        self.noise_shape = noise_shape
        self.triples = triples
        self.poses = pack_poses(corpus, size)
        store = StoredFrames if preload else DecodedFrames
        self.frames: FrameSource = store(corpus, self.poses.lengths, size)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, n: int) -> dict[str, torch.Tensor]:
        if not 0 <= n < self.length:
            raise IndexError(n)
        rng = sample_generator(self.seed, n)
        triple = self._draw_triple(rng)  # first, so that the triples depend on the seed alone
        sample = {"uniform": rng.random(UNIFORMS, dtype=np.float32), **self._draw_views(triple, rng)}
        if self.noise_shape is not None:
            sample["noise"] = rng.standard_normal(self.noise_shape, dtype=np.float32)
        # copies: a sample may be changed in place, the frames in store may not
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in sample.items()}
        return {**tensors, "index": torch.tensor(n)}

    def _draw_triple(self, rng: np.random.Generator) -> Triple:
        if self.triples is None:
            return draw_triple(self.poses.lengths, rng)
        return self.triples[int(rng.integers(len(self.triples)))]

    def _draw_views(self, triple: Triple, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Source, target and drawn pose of one triple, augmented."""
        options, (height, width) = self.augmentation, self.size
        self_pair, flip, colour, low_resolution = rng.random(4)
        clip, source_index, target_index = triple
        if self_pair < options.self_pairs:
            source_index = target_index
        source, target = self.frames.frames(clip, [source_index, target_index])
        keypoints = self.poses.frame(clip, target_index)
        if flip < options.flip:
            source, target = flip_frame(source), flip_frame(target)
            keypoints = flip_keypoints(keypoints, width, self.poses.skeleton)
        if colour < options.colour:
            transform = colour_transform(options.colour_strength, rng)
            source, target = change_colours(source, transform), change_colours(target, transform)
        if low_resolution < options.source_low_resolution:
            source = drop_resolution(source)
        if options.keypoint_jitter:
            keypoints = jitter_keypoints(keypoints, options.keypoint_jitter, rng)
        pose = draw_pose(keypoints, height, width, self.poses.skeleton)
        return {"source": source, "target": target, "pose": pose, "keypoints": keypoints}


class DrivenClip(NamedTuple):
    """A clip to generate from `first_frame` uint8 (H, W, 3) and `poses`, and to compare with `reference`."""

    clip: Clip
    first_frame: np.ndarray
    poses: PoseSequence
    reference: VideoReader


def first_frame_protocol(corpus: Corpus) -> Iterator[DrivenClip]:
    """The test protocol: every clip from its first frame and the poses of all its frames, the first included.

    On Phoenix-2014T's test split that makes 64,627 pairs. The readers are closed as the iteration moves on.
    """
    for index, clip in enumerate(corpus):
        poses = corpus.poses(index)
        with corpus.reader(index) as reference:
            yield DrivenClip(clip, reference[0], poses, reference)
