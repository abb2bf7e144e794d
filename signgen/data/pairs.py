"""Pairs of frames: the random triples of training and the first-frame protocol of testing (FPDM)."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from signgen.data.augmentation import (
    Augmentation,
    change_colours,
    colour_transform,
    drop_hands,
    drop_resolution,
    flip_frame,
    flip_keypoints,
    jitter_keypoints,
    pose_distance,
)
from signgen.data.corpus import Clip, Corpus
from signgen.data.frame_sources import DecodedFrames, FrameSource, StoredFrames
from signgen.data.packed_poses import pack_poses
from signgen.errors import UserError
from signgen.poses import PoseSequence, draw_pose
from signgen.video import VideoReader, read_image

UNIFORMS = 8


class Triple(NamedTuple):
    """A training example by number: in clip `clip`, turn frame `source` into frame `target` by its pose."""

    clip: int
    source: int
    target: int


def sample_generator(seed: int, n: int) -> np.random.Generator:
    """The random generator of sample `n`. It is the same in every process."""
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
    timesteps and condition drops; `index` int64; and, given a `noise_shape`, standard normal `noise` float32. On
    request also the source's pose, `source_pose` and `source_keypoints`; and from a folder `coarse` with an image
    of each of the `triples` (`coarse_path`) `coarse`, augmented as the target is.

    `preload` decodes every frame once into memory that workers share; otherwise frames are decoded when drawn.
    `triples`, where they are given, are gone through in epochs, each in an order of its own; else pairs are drawn from
    all those inside clips. Frames of another size are squashed to `size` (height, width). Raises UserError for clips
    that lack frames or poses.
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
        source_pose: bool = False,
        coarse: Path | None = None,
    ) -> None:
        if triples is not None and not len(triples):
            raise UserError("the list of pairs is empty")
        if length < 1 or seed < 0 or min(size) < 1:
            raise UserError(f"length {length} and size {size} must be positive, seed {seed} not negative")
        if coarse is not None and (triples is None or (augmentation and augmentation.self_pairs)):
            raise UserError("coarse images are of a list of pairs: set data.pairs, and no augmentation.self_pairs")
        self.size, self.length, self.seed = size, length, seed
        self.augmentation = augmentation or Augmentation()
        self.noise_shape = noise_shape
        self.triples = triples
        self._epoch, self._order = -1, np.arange(0)
        self.source_pose, self.coarse = source_pose, coarse
        self.poses = pack_poses(corpus, size)
        self.names = [clip.name for clip in corpus]
        store = StoredFrames if preload else DecodedFrames
        self.frames: FrameSource = store(corpus, self.poses.lengths, size)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, n: int) -> dict[str, torch.Tensor]:
        if not 0 <= n < self.length:
            raise IndexError(n)
        rng = sample_generator(self.seed, n)
        # Pairs first, so that they depend on the seed alone.
        if self.triples is None:
            triple, coarse = self._farther(draw_triple(self.poses.lengths, rng), rng), None
        else:
            number = self._place_in_epoch(n)
            triple, coarse = self.triples[number], self._read_coarse(number)
        sample = {"uniform": rng.random(UNIFORMS, dtype=np.float32), **self._draw_views(triple, coarse, rng)}
        if self.noise_shape is not None:
            sample["noise"] = rng.standard_normal(self.noise_shape, dtype=np.float32)
        # copies: a sample may be changed in place, the frames in store may not
        tensors = {name: torch.from_numpy(np.array(array)) for name, array in sample.items()}
        return {**tensors, "index": torch.tensor(n)}

    def _farther(self, triple: Triple, rng: np.random.Generator) -> Triple:
        """The triple, or by chance one with another target, if that is farther from the source."""
        if not self.augmentation.far_pairs or rng.random() >= self.augmentation.far_pairs:
            return triple
        clip, source, target = triple
        own = self.poses.frame(clip, source)
        targets = (target, int(rng.integers(self.poses.lengths[clip])))
        distances = [pose_distance(own, self.poses.frame(clip, index)) for index in targets]
        return Triple(clip, source, targets[int(np.argmax(distances))])

    def digest(self) -> str:
        """A digest of what samples are drawn from: names and lengths of the clips, their poses, and the pairs."""
        digest = hashlib.sha256(repr([self.names, self.poses.lengths.tolist(), self.triples]).encode())
        digest.update(self.poses.keypoints.numpy().data)
        return digest.hexdigest()

    def _place_in_epoch(self, n: int) -> int:
        """Which of the triples sample `n` is: every epoch has each of them once."""
        assert self.triples is not None
        epoch, place = divmod(n, len(self.triples))
        if epoch != self._epoch:
            seeds = np.random.SeedSequence((self.seed, epoch), spawn_key=(1,))  # apart from the samples' own numbers
            self._epoch, self._order = (
                epoch,
                np.random.Generator(np.random.Philox(seeds)).permutation(len(self.triples)),
            )
        return int(self._order[place])

    def _read_coarse(self, number: int) -> np.ndarray | None:
        if self.coarse is None:
            return None
        image = read_image(coarse_path(self.coarse, number))
        if image.shape[:2] != self.size:
            raise UserError(f"{coarse_path(self.coarse, number)} is not of the size {self.size[1]}x{self.size[0]}")
        return image

    def _draw_views(self, triple: Triple, coarse: np.ndarray | None, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """The augmented source, target and pose map of one triple, and its coarse image if there is one."""
        options, (height, width) = self.augmentation, self.size
        self_pair, flip, colour, low_resolution = rng.random(4)
        clip, source_index, target_index = triple
        if self_pair < options.self_pairs:
            source_index = target_index
        source, target = self.frames.frames(clip, [source_index, target_index])
        images = {"source": source, "target": target} | ({} if coarse is None else {"coarse": coarse})
        keypoints = {"keypoints": self.poses.frame(clip, target_index)}
        if self.source_pose:
            keypoints["source_keypoints"] = self.poses.frame(clip, source_index)
        if flip < options.flip:
            images = {name: flip_frame(image) for name, image in images.items()}
            keypoints = {name: flip_keypoints(pose, width, self.poses.skeleton) for name, pose in keypoints.items()}
        if colour < options.colour:
            transform = colour_transform(options.colour_strength, rng)
            images = {name: change_colours(image, transform) for name, image in images.items()}
        if low_resolution < options.source_low_resolution:
            images["source"] = drop_resolution(images["source"])
        if options.soft and rng.random() < options.soft:
            images = {name: drop_resolution(image) for name, image in images.items()}
        if options.missing_hand:
            probability, skeleton = options.missing_hand, self.poses.skeleton
            keypoints = {name: drop_hands(pose, probability, rng, skeleton) for name, pose in keypoints.items()}
        if options.keypoint_jitter:
            keypoints = {name: jitter_keypoints(pose, options.keypoint_jitter, rng) for name, pose in keypoints.items()}
        pose_maps = {
            drawing: draw_pose(keypoints[name], height, width, self.poses.skeleton)
            for drawing, name in (("pose", "keypoints"), ("source_pose", "source_keypoints"))
            if name in keypoints
        }
        return images | pose_maps | keypoints


def coarse_path(folder: Path, number: int) -> Path:
    """The path of the coarse image of pair `number` of a list. A folder holds a thousand images."""
    return folder / f"{number // 1000:05}" / f"{number:08}.png"


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
