"""A plain folder of clips: videos or folders of images, with pose files of the same names.

The pose files lie beside the clips or in their folder `poses`.
"""

from pathlib import Path

from signgen.data.corpus import Clip, Corpus
from signgen.errors import UserError
from signgen.io.names import named, visible
from signgen.video import VIDEO_SUFFIXES, is_image

POSE_SUFFIXES = (".pose", ".npz", ".npy", ".json", ".pkl", ".pickle")


def open_folder(root: Path, split: str | None) -> Corpus:
    """Lists the clips of `root/<split>` (or of `root`, without a split) by name.

    Clips without a pose file are listed with `poses` None. Raises UserError if there is no clip at all.
    """
    folder = root / split if split else root
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give the split as the name of a folder inside {root}")
    entries = list(filter(_holds_frames, visible(folder)))
    if not entries:
        raise UserError(f"{folder}: no clips here (videos, or folders of images)")
    return Corpus(tuple(Clip(name=_clip_name(entry), frames=entry, poses=_pose_file(entry)) for entry in entries))


def _holds_frames(entry: Path) -> bool:
    if entry.is_dir():
        return any(map(is_image, visible(entry)))
    return entry.suffix.lower() in VIDEO_SUFFIXES


def _clip_name(entry: Path) -> str:
    return entry.name if entry.is_dir() else entry.stem


def pose_file_in(folder: Path, name: str) -> Path | None:
    """The first file in `folder` that is called `name`, however its accents are written, with a pose file's suffix."""
    for suffix in POSE_SUFFIXES:
        if (path := named(folder, name + suffix)) is not None and path.is_file():
            return path
    return None


def _pose_file(entry: Path) -> Path | None:
    """The pose file of a clip; `poses/NAME` may also be a folder of per-frame JSON."""
    name, apart = _clip_name(entry), entry.parent / "poses"
    frame_by_frame = named(apart, name)
    return (
        pose_file_in(entry.parent, name)
        or pose_file_in(apart, name)
        or (frame_by_frame if frame_by_frame is not None and frame_by_frame.is_dir() else None)
    )
