"""Finds missing and inconsistent files of a corpus."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from signgen.data.corpus import Clip, Corpus
from signgen.data.corpus_pose_files import PoseFiles
from signgen.data.for_each_clip import for_each_clip
from signgen.errors import UserError
from signgen.poses import PoseSequence
from signgen.video import VideoReader


@dataclass(frozen=True)
class Problem:
    """One fault of a corpus: the clip, the file, and what is wrong."""

    clip: str
    file: Path
    message: str


@dataclass(frozen=True)
class _Finding:
    """What was found in one clip; `size` is None where the frames could not be opened."""

    problems: list[Problem]
    size: tuple[int, int] | None


def check_corpus(corpus: Corpus, decode: bool = True) -> list[Problem]:
    """Everything that is wrong with the clips, in their order.

    Files that are missing or cannot be read (with `decode`, every frame is decoded; without, only the first);
    numbers of frames that differ between frames, poses and the corpus's tables; frames of another size than
    most clips have; poses without points or outside their image.
    """
    files = PoseFiles(clip.poses for clip in corpus)
    findings = for_each_clip(lambda clip: _check_clip(corpus[clip], files, decode), len(corpus), "Checking clips")
    sizes = Counter(finding.size for finding in findings if finding.size)
    usual = sizes.most_common(1)[0][0] if sizes else None
    problems = []
    for clip, finding in zip(corpus, findings, strict=True):
        problems += finding.problems
        if finding.size not in (None, usual):
            problems.append(Problem(clip.name, clip.frames, _unusual(finding.size, usual, sizes)))
    return problems


def _unusual(size: tuple[int, int] | None, usual: tuple[int, int] | None, sizes: Counter) -> str:
    (width, height), (usual_width, usual_height) = size or (0, 0), usual or (0, 0)
    return f"frames of {width}x{height}, but {sizes[usual]} clips have {usual_width}x{usual_height}"


def _check_clip(clip: Clip, files: PoseFiles, decode: bool) -> _Finding:
    try:
        reader = clip.open()
    except UserError as error:
        return _Finding([Problem(clip.name, clip.frames, _message(error, clip.frames))], None)
    with reader:
        problems = [*_check_frames(clip, reader, decode), *_check_poses(clip, files, reader)]
        return _Finding(problems, reader.size)


def _check_frames(clip: Clip, reader: VideoReader, decode: bool) -> Iterator[Problem]:
    try:
        count = len(reader)
    except UserError as error:
        yield Problem(clip.name, clip.frames, _message(error, clip.frames))
        return
    if clip.length is not None and count != clip.length:
        yield Problem(clip.name, clip.frames, f"{count} frames, but the corpus's table says {clip.length}")
    for index in range(count if decode else 1):
        try:
            reader.frames([index])
        except UserError as error:
            yield Problem(clip.name, clip.frames, f"frame {index}: {_message(error, clip.frames)}")


def _check_poses(clip: Clip, files: PoseFiles, reader: VideoReader) -> Iterator[Problem]:
    try:
        poses = clip.read_poses(files.open)
    except UserError as error:
        yield Problem(clip.name, clip.poses or clip.frames, _message(error, clip.poses or clip.frames))
        return
    assert clip.poses is not None
    yield from (Problem(clip.name, clip.poses, message) for message in _pose_faults(poses, reader))


def _pose_faults(poses: PoseSequence, reader: VideoReader) -> Iterator[str]:
    if len(poses) != len(reader):
        yield f"{len(poses)} poses for {len(reader)} frames"
    empty = int((~poses.present.any(axis=1)).sum())
    if empty:
        yield f"{empty} of {len(poses)} poses have no point at all"
    inside = np.all((poses.positions >= 0) & (poses.positions <= poses.size), axis=-1)
    if poses.present.any() and inside[poses.present].mean() < 0.5:
        yield f"most points lie outside the {poses.size[0]}x{poses.size[1]} image; are they in its pixels?"


def _message(error: UserError, file: Path) -> str:
    """The error without the name of the file, which the problem gives already."""
    return str(error).removeprefix(f"{file}: ")
