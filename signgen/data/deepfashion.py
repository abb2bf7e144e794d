"""DeepFashion In-shop (Liu et al. 2016) as a corpus: a clip is a person in a garment, its frames the views.

Images: `img/` or `img_highres/`, then `WOMEN/Tees_Tanks/id_00003470/17_3_back.jpg`.
Pairs: `<split>_pairs_data.json` or `fas(h)ion-pairs-<split>.csv`.
A split has the images of its pairs, or else those of `<split>.lst`. (Two test splits are in use, and the lists do not
say which of them they belong to: `test.lst` lacks most images of `fasion-pairs-test.csv`.)
Poses: the `fas(h)ion-annotation-*.csv` that knows most of these images, or `pose/` with a text `x y` for
each: OpenPose's 18 points in 256x256 images, of which 40 columns are white at either side.

Published results are at sizes (256, 176) and (512, 352); both come from the same images and points.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from signgen.data.corpus import Clip, Corpus, no_such_split
from signgen.data.deepfashion_lists import ImagePair, image_key, read_image_list, read_pairs
from signgen.data.pairs import Triple
from signgen.errors import UserError
from signgen.poses import PoseSequence, read_poses
from signgen.poses.formats.detect import list_sequences
from signgen.poses.formats.raw import Sequences
from signgen.video import VideoReader, read_image
from signgen.video.images import image_size

IMAGE_PLACES = ("img", "img_highres")
SPLITS = ("train", "test")


class ImageReader(VideoReader):
    """Reads single images as if they were a video. They may differ in size; `size` is that of the first."""

    fps = 1.0

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths
        self.size = image_size(paths[0])

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(read_image, self.paths)

    def frames(self, indices: Sequence[int]) -> np.ndarray:
        """uint8 (N, H, W, 3). Raises UserError for unreadable images, or images that differ in size."""
        images = [read_image(self.paths[index]) for index in self._checked(indices)]
        if len({image.shape for image in images}) > 1:
            raise UserError(f"{self.paths[0].parent}: the views differ in size")
        return np.stack(images)


@dataclass(frozen=True)
class Garment(Clip):
    """A clip whose frames are single images; `frames` is the folder that `views` lie in."""

    views: tuple[str, ...] = ()
    """The keys of the images."""
    images: Path = Path()
    """The folder that the keys are relative to."""
    spellings: Mapping[str, str] = field(default_factory=dict, hash=False)
    """The names of the views in the table of keypoints, if `poses` is one."""

    def open(self) -> VideoReader:
        """Opens the images. Raises UserError if the first is missing or broken."""
        return ImageReader([self.images / f"{view}.jpg" for view in self.views])

    def read_poses(self, open_file: Callable[[Path], Sequences] = list_sequences) -> PoseSequence:
        """Reads the poses of the views, in pixels of 176x256. Raises UserError if one has none."""
        views = [self._read_pose(view, open_file) for view in self.views]
        return replace(views[0], keypoints=np.concatenate([pose.keypoints for pose in views]))

    def _read_pose(self, view: str, open_file: Callable[[Path], Sequences]) -> PoseSequence:
        if self.poses is None:
            raise UserError(f"{self.frames}: no keypoints for {view}")
        if self.poses.is_dir():
            return read_poses(self.poses / f"{view}.txt", fps=ImageReader.fps)
        if view not in self.spellings:
            raise UserError(f"{self.poses}: no keypoints for {view}")
        try:
            return open_file(self.poses)[self.spellings[view]]().sequence(None, ImageReader.fps)
        except UserError as error:
            raise UserError(f"{self.poses}: {view}: {error}") from error


def is_deepfashion(root: Path) -> bool:
    """Whether `root` holds a list of any split and a folder of images."""
    lists = any(_first(root, _list_names(split) + _pair_names(split)) for split in SPLITS)
    return lists and any((root / place).is_dir() for place in IMAGE_PLACES)


def open_deepfashion(root: Path, split: str | None) -> Corpus:
    """Lists the garments of one split, sorted by key. Raises UserError if it has neither a list nor pairs."""
    if split is None or split not in SPLITS:
        raise no_such_split(root, split, SPLITS)
    images = next((root / place for place in IMAGE_PLACES if (root / place).is_dir()), root / "img")
    keys = _split_keys(root, split)
    poses, spellings = _pose_place(root, keys)
    return Corpus(
        tuple(
            Garment(
                name=garment,
                frames=(images / garment).parent,
                poses=poses,
                speaker=garment.split("/")[2],
                views=tuple(views),
                images=images,
                spellings=spellings,
            )
            for garment, views in groupby(keys, key=_garment)
        )
    )


def official_pairs(root: Path, split: str, corpus: Corpus) -> list[Triple]:
    """The published pairs of a split, as triples of `corpus`, in file order.

    Raises UserError if there is no list of pairs, or it names images that the corpus lacks.
    """
    path = _first(root, _pair_names(split))
    if path is None:
        raise UserError(f"{root}: no list of pairs; expected one of {', '.join(_pair_names(split))}")
    places = {
        view: (clip, frame)
        for clip, garment in enumerate(corpus)
        if isinstance(garment, Garment)
        for frame, view in enumerate(garment.views)
    }
    return [_triple(path, pair, places) for pair in read_pairs(path)]


def _triple(path: Path, pair: ImagePair, places: dict[str, tuple[int, int]]) -> Triple:
    missing = [key for key in pair if key not in places]
    if missing:
        raise UserError(f"{path}: {missing[0]} is not in this split")
    (clip, source), (other, target) = places[pair.source], places[pair.target]
    if clip != other:
        raise UserError(f"{path}: {pair.source} and {pair.target} are not of one person in one garment")
    return Triple(clip, source, target)


def _split_keys(root: Path, split: str) -> list[str]:
    if paired := _first(root, _pair_names(split)):
        return sorted({key for pair in read_pairs(paired) for key in pair})
    if listed := _first(root, _list_names(split)):
        return sorted(set(read_image_list(listed)))
    raise UserError(f"{root}: neither {split}.lst nor a list of pairs of the split {split!r}")


def _garment(key: str) -> str:
    """`WOMEN/Tees_Tanks/id_00003470/17` of `WOMEN/Tees_Tanks/id_00003470/17_3_back`."""
    return key.rsplit("_", 2)[0]


def _list_names(split: str) -> list[str]:
    return [f"{split}.lst"]


def _pair_names(split: str) -> list[str]:
    return [f"{split}_pairs_data.json", f"fasion-pairs-{split}.csv", f"fashion-pairs-{split}.csv"]


def _pose_place(root: Path, keys: Sequence[str]) -> tuple[Path | None, dict[str, str]]:
    """The table of keypoints that has most of the images, and their names in it; else the folder of text files."""
    tables = [(table, _spellings(table)) for table in sorted(root.glob("fas*ion-annotation-*.csv"))]
    if tables:
        return max(tables, key=lambda table: len(table[1].keys() & set(keys)))
    return (root / "pose" if (root / "pose").is_dir() else None), {}


def _spellings(table: Path) -> dict[str, str]:
    """Key -> name, of every image in a table of keypoints."""
    try:
        return {image_key(name): name for name in list_sequences(table)}
    except UserError as error:
        raise UserError(f"{table}: {error}") from error


def _first(root: Path, names: list[str]) -> Path | None:
    return next((root / name for name in names if (root / name).is_file()), None)
