"""From a job to an order: the signer's image and the fitted poses, all that a worker needs beside the model."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from signgen.data import Clip
from signgen.data.corpus_pose_files import PoseFiles
from signgen.export.jobs import Job
from signgen.export.motion import displace, retime
from signgen.poses import PoseSequence, align

SIGNERS_KEPT = 256  # images in memory: 164 kB each at 210x260


@dataclass(frozen=True)
class JobInputs:
    """image: uint8 (H, W, 3). poses: in its pixels. source_pose: the signer's own, one frame."""

    name: str
    image: np.ndarray
    poses: PoseSequence
    source_pose: PoseSequence
    seed: int


class JobInputsReader:
    """Reads what jobs refer to, and fits poses to signers."""

    def __init__(self, jobs: list[Job], fps: float | None = None) -> None:
        """fps: of what is rendered; the poses' own without it."""
        self._fps = fps
        clips = [clip for job in jobs for clip in {job.clip, job.signer.clip}]
        self._open = PoseFiles(clip.poses for clip in dict.fromkeys(clips)).open
        self._signer = lru_cache(SIGNERS_KEPT)(self._read_signer)
        self._poses = lru_cache(1)(self._read_poses)  # a clip's jobs follow each other

    def read(self, job: Job) -> JobInputs:
        """Raises UserError where a file cannot be read, or poses do not show both shoulders."""
        image, source_pose = self._signer(job.signer.clip)
        poses = align(retime(self._poses(job.clip), job.motion, self._fps), source_pose, bones=True)
        return JobInputs(job.name, image, displace(poses, job.motion), source_pose, job.seed)

    def _read_poses(self, clip: Clip) -> PoseSequence:
        return clip.read_poses(self._open)

    def _read_signer(self, clip: Clip) -> tuple[np.ndarray, PoseSequence]:
        """First frame, and the pose in it in its pixels."""
        poses = clip.read_poses(self._open)[:1]
        with clip.open() as reader:
            image = next(iter(reader))
        height, width, _ = image.shape
        return image, poses.scaled_to((width, height))
