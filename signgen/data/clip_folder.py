"""A plain folder of clips: videos or folders of pictures, with pose files of the same names.

The pose files lie beside the clips or in a folder `poses` there.
"""

from pathlib import Path

from signgen.data.corpus import Clip, Corpus
from signgen.errors import UserError
from signgen.video.images import is_image

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg"})
POSE_SUFFIXES = (".pose", ".npz", ".npy", ".json", ".pkl", ".pickle")


def open_folder(root: Path, split: str | None) -> Corpus:
    """Lists the clips of `root/<split>` (or of `root`, without a split) by name.

    Clips without a pose file are listed with `poses` None. Raises UserError if there is no clip at all.
    """
    folder = root / split if split else root
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the split as the name of a folder inside {root}")
    entries = sorted(entry for entry in folder.iterdir() if _holds_frames(entry))
    if not entries:
        raise UserError(f"{folder}: no clips here (videos, or folders of pictures)")
    return Corpus(tuple(Clip(name=_clip_name(entry), frames=entry, poses=_pose_file(entry)) for entry in entries))


def _holds_frames(entry: Path) -> bool:
    if entry.is_dir():
        return any(is_image(child) for child in entry.iterdir())
    return entry.suffix.lower() in VIDEO_SUFFIXES


def _clip_name(entry: Path) -> str:
    return entry.name if entry.is_dir() else entry.stem


def pose_file_in(folder: Path, name: str) -> Path | None:
    """The first file in `folder` that is called `name` and has the suffix of a pose file."""
    paths = (folder / (name + suffix) for suffix in POSE_SUFFIXES)
    return next((path for path in paths if path.is_file()), None)


def _pose_file(entry: Path) -> Path | None:
    """The pose file of a clip; `poses/NAME` may also be a folder of per-frame JSON."""
    name, apart = _clip_name(entry), entry.parent / "poses"
    frame_by_frame = apart / name
    return (
        pose_file_in(entry.parent, name)
        or pose_file_in(apart, name)
        or (frame_by_frame if frame_by_frame.is_dir() else None)
    )
