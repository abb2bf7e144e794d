"""What an export would hold, without rendering it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from signgen.data import Clip
from signgen.data.corpus_pose_files import PoseFiles
from signgen.data.for_each_clip import for_each_clip
from signgen.errors import UserError
from signgen.export.export_folder import ExportFolder
from signgen.export.jobs import Job, make_plan
from signgen.export.settings import ExportSettings
from signgen.video import VideoWriter, read_first_frame
from signgen.video.image_arrays import png_bytes, resize_image

SAMPLED_CLIPS, SAMPLED_FRAMES = 3, 24


@dataclass(frozen=True)
class Estimate:
    """clips: of the plan. done: of these, there already. unreadable: clips of the corpus without usable poses.

    bytes: of the media, from sampled source frames in the size of the signers' images, encoded as the export would.
    """

    clips: int
    done: int
    frames: int
    hours: float
    bytes: int
    unreadable: int


def estimate(settings: ExportSettings) -> Estimate:
    """Reads the poses of all clips and a few frames. Raises UserError as `export_corpus` does."""
    jobs = make_plan(settings)
    clips = _lengths(jobs)
    seconds, frames = 0.0, 0
    for job in jobs:
        if job.clip in clips:
            length, fps = clips[job.clip]
            seconds += length / fps / job.motion.tempo
            frames += round(length / fps / job.motion.tempo * (settings.fps or fps))
    copies = 1 + ("webdataset" in settings.formats)
    store = ExportFolder(settings, {})
    return Estimate(
        clips=len(jobs),
        done=sum(store.is_done(job) for job in jobs),
        frames=frames,
        hours=round(seconds / 3600, 4),
        bytes=round(frames * _bytes_per_frame(jobs, settings) * copies),
        unreadable=len({job.clip for job in jobs} - clips.keys()),
    )


def _lengths(jobs: list[Job]) -> dict[Clip, tuple[int, float]]:
    """Frames and frames per second of the clips that can be read."""
    clips = list(dict.fromkeys(job.clip for job in jobs))
    files = PoseFiles(clip.poses for clip in clips)

    def length(index: int) -> tuple[int, float] | None:
        try:
            poses = clips[index].read_poses(files.open)
        except UserError:
            return None
        return len(poses), poses.fps

    found = for_each_clip(length, len(clips), "reading poses")
    return {clip: value for clip, value in zip(clips, found, strict=True) if value}


def _bytes_per_frame(jobs: list[Job], settings: ExportSettings) -> float:
    height, width, _ = read_first_frame(jobs[0].signer.clip.frames).shape
    clips = list(dict.fromkeys(job.clip for job in jobs))[:SAMPLED_CLIPS]
    sizes, count = 0, 0
    for clip in clips:
        with clip.open() as reader:
            frames = [
                resize_image(frame, (height, width)) for frame in reader.frames(range(min(SAMPLED_FRAMES, len(reader))))
            ]
            sizes += _encoded(frames, reader.fps, settings.media)
            count += len(frames)
    return sizes / count


def _encoded(frames: list[np.ndarray], fps: float, media: str) -> int:
    if media == "frames":
        return sum(len(png_bytes(frame)) for frame in frames)
    height, width, _ = frames[0].shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sample.mp4")
        with VideoWriter(path, fps, (width, height)) as writer:
            for frame in frames:
                writer.write(frame)
        return path.stat().st_size
