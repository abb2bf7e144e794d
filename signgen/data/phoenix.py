"""Phoenix-2014T in the layouts in use (Camgoz et al. 2018, "Neural Sign Language Translation").

Clips: the official `annotations/manual/*.corpus.csv`, or the `phoenix-2014t.<split>` label pickles.
Frames: the official `features/fullFrame-210x260px/<split>/<name>/1/`, the same without the `1/`,
`images/<name>/`, or MP4 files in `videos/`.
Poses: an HRNet pickle or `.npz` of the whole split, or one file a clip in `poses/`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from signgen.data.clip_folder import pose_file_in
from signgen.data.corpus import Clip, Corpus, no_such_split
from signgen.data.phoenix_annotations import Annotation, read_annotations
from signgen.data.phoenix_labels import GZIP_MAGIC, read_labels
from signgen.errors import UserError

SPLITS = {"train": 7096, "dev": 519, "test": 642}
"""The official splits and their numbers of clips."""

FRAME_SIZE = (210, 260)
"""(width, height) of the official frames; archives of keypoints refer to it, even beside resized videos."""
HOMES = (".", "PHOENIX-2014-T", "PHOENIX-2014-T-release-v3/PHOENIX-2014-T")
FRAME_PLACES = (
    "features/fullFrame-210x260px/{split}/{name}/1",
    "features/fullFrame-210x260px/{split}/{name}",
    "images/{split}/{name}",
    "images/{name}",
    "videos/{split}/{name}.mp4",
    "videos/{name}.mp4",
)
TABLE_PLACES = ("annotations/manual", "annotations", ".")
ARCHIVE_PLACES = (".", "labels", "keypoints", "poses")
SHARED_KEYPOINTS = "keypoints_hrnet*.pkl"  # one file for all splits, as TwoStream distributes it


def is_phoenix(root: Path) -> bool:
    """Whether there is a table or a label pickle of any split under `root`."""
    return any(_table(home, split) or _labels(home, split) for home in _homes(root) for split in SPLITS)


def open_phoenix(root: Path, split: str | None) -> Corpus:
    """Lists the clips of one split in its table's order.

    Frames and poses that are not there are listed where they are expected; `signgen data check` finds them.
    Raises UserError if there is neither a table nor a label pickle of this split.
    """
    if split is None or split not in SPLITS:
        raise no_such_split(root, split, list(SPLITS))
    for home in _homes(root):
        if table := _table(home, split):
            return _corpus(home, split, read_annotations(table))
        if labels := _labels(home, split):
            return _corpus(home, split, read_labels(labels))
    raise UserError(f"{root}: neither annotations/manual/{_table_name(split)} nor phoenix-2014t.{split} here")


def _corpus(home: Path, split: str, rows: Iterable[Annotation]) -> Corpus:
    archive = next((path for path in _archives(home, split) if not _is_gzip(path)), None)
    return Corpus(tuple(_clip(home, split, row, archive) for row in rows))


def _clip(home: Path, split: str, row: Annotation, archive: Path | None) -> Clip:
    places = [home / place.format(split=split, name=row.name) for place in FRAME_PLACES]
    own_poses = pose_file_in(home / "poses" / split, row.name) or pose_file_in(home / "poses", row.name)
    return Clip(
        name=row.name,
        frames=next((place for place in places if place.exists()), places[0]),
        poses=own_poses or archive,
        pose_name=None if own_poses or archive is None else f"{split}/{row.name}",
        pose_size=None if own_poses or archive is None else FRAME_SIZE,
        speaker=row.speaker,
        gloss=row.orth,
        text=row.translation,
        length=row.frames,
    )


def _homes(root: Path) -> Iterator[Path]:
    return (root / home for home in HOMES if (root / home).is_dir())


def _table_name(split: str) -> str:
    return f"PHOENIX-2014-T.{split}.corpus.csv"


def _table(home: Path, split: str) -> Path | None:
    paths = (home / place / _table_name(split) for place in TABLE_PLACES)
    return next((path for path in paths if path.is_file()), None)


def _labels(home: Path, split: str) -> Path | None:
    return next((path for path in _archives(home, split) if _is_gzip(path)), None)


def _archives(home: Path, split: str) -> Iterator[Path]:
    """Files that hold the labels (compressed) or the keypoints (not compressed) of a whole split."""
    patterns = (f"*.{split}", f"{split}.npz", f"{split}.pkl", f"*.{split}.pkl", SHARED_KEYPOINTS)
    folders = [home / place for place in ARCHIVE_PLACES]
    found = (path for folder in folders for pattern in patterns for path in sorted(folder.glob(pattern)))
    return (path for path in found if path.is_file() and not path.name.startswith("."))


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
