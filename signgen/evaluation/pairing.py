"""Which generated clip belongs to which reference clip, and which poses to both."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from signgen.errors import UserError
from signgen.io.names import composed, visible
from signgen.poses import PoseSequence, read_poses
from signgen.poses.formats.detect import list_sequences
from signgen.video import VIDEO_SUFFIXES, is_image

Poses = Path | str | Mapping[str, PoseSequence]


@dataclass(frozen=True)
class ClipPair:
    """A generated clip and its reference: video files or folders of images."""

    name: str
    generated: Path
    reference: Path


@dataclass(frozen=True)
class Pairing:
    """The pairs in order of their names, and the names of the clips that stayed alone on either side."""

    pairs: list[ClipPair]
    only_generated: list[str]
    only_reference: list[str]


def pair_clips(generated: Path, reference: Path) -> Pairing:
    """Pair two clips, or two trees of clips by name. UserError where there is nothing to pair.

    A clip's name is its path below the tree, without the suffix of a video, its accents written in one way. Two single
    clips are a pair whatever they are called; the name is then the reference's.
    """
    ours, theirs = find_clips(generated), find_clips(reference)
    if is_clip(generated) and is_clip(reference):
        (name, path), (our_path,) = next(iter(theirs.items())), ours.values()
        return Pairing([ClipPair(name, our_path, path)], [], [])
    both = sorted(ours.keys() & theirs.keys())
    if not both:
        raise UserError(
            f"no clip of {generated} ({min(ours)}, ...) is called as one of {reference} ({min(theirs)}, ...)"
        )
    pairs = [ClipPair(name, ours[name], theirs[name]) for name in both]
    return Pairing(pairs, sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys()))


def is_clip(path: Path) -> bool:
    """A file, or a folder that holds images itself."""
    return path.is_file() or (path.is_dir() and any(map(is_image, visible(path))))


def find_clips(root: Path) -> dict[str, Path]:
    """Name -> path of each clip at or below `root`; UserError if there is none, or two of one name."""
    if not root.exists():
        raise UserError(f"{root}: no such file or folder")
    if is_clip(root):
        return {root.stem if root.is_file() else root.name: root}
    clips: dict[str, Path] = {}
    for path in _clips_below(root):
        name = path.relative_to(root).as_posix()
        name = name.removesuffix(path.suffix) if path.is_file() else name.removesuffix("/1")  # Phoenix: NAME/1/*.png
        name = composed(name)
        if name in clips:
            raise UserError(f"{root}: {clips[name].name} and {path.name} are both called {name}; keep one of them")
        clips[name] = path
    if not clips:
        raise UserError(f"{root}: there are no videos and no folders of images in it")
    return clips


def _clips_below(root: Path) -> Iterator[Path]:
    for folder, below, files in os.walk(root, followlinks=True):
        here = Path(folder).resolve()
        below[:] = [name for name in below if not here.is_relative_to((here / name).resolve())]  # linked into itself
        below[:] = [name for name in below if not name.startswith(".")]
        paths = [Path(folder, file) for file in files if not file.startswith(".")]
        if any(map(is_image, paths)):
            yield Path(folder)
        yield from (path for path in paths if path.suffix.lower() in VIDEO_SUFFIXES)


def find_poses(poses: Poses, name: str, *, size: tuple[int, int], fps: float, single: bool) -> PoseSequence:
    """The poses of clip `name`, in pixels of frames of `size` (width, height).

    `poses` maps names to sequences, or is a file that holds one sequence (for a `single` clip) or one per
    name, or a folder with one file or folder per name. `size` and `fps` are taken where the file does not
    say.
    """
    if isinstance(poses, Mapping):
        if name not in poses:
            raise UserError(f"no poses are given for {name}")
        return poses[name].scaled_to(size)
    path = Path(poses)
    if path.is_dir() and not (single and any(child.suffix == ".json" for child in visible(path))):
        return read_poses(_below(path, name), size=size, fps=fps).scaled_to(size)
    only = single and len(list_sequences(path)) == 1
    return read_poses(path, name=None if only else name, size=size, fps=fps).scaled_to(size)


def _below(folder: Path, name: str) -> Path:
    """The one file NAME.* or folder NAME below `folder`."""
    parent, last = (folder / name).parent, composed(Path(name).name)
    children = visible(parent) if parent.is_dir() else []
    found = [p for p in children if composed(p.name if p.is_dir() else p.name.removesuffix(p.suffix)) == last]
    if len(found) != 1:
        problem = "no pose file" if not found else f"{len(found)} pose files"
        raise UserError(f"{folder}: {problem} called {name}")
    return found[0]
