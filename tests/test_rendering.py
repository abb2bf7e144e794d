import itertools

import numpy as np
import pytest

from signgen.errors import UserError
from signgen.fpdm import FPDMPipeline
from signgen.poses import PoseSequence
from signgen.rendering import render


def signer(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def movement(frames: int, width: int, height: int) -> PoseSequence:
    rng = np.random.default_rng(1)
    keypoints = rng.uniform(0.2, 0.8, (frames, 133, 3)) * (width, height, 1)
    return PoseSequence(keypoints.astype(np.float32), (width, height), 25.0, "coco-wholebody-133")


def test_a_frame_for_every_pose_in_the_pictures_size(tiny_pipeline: FPDMPipeline) -> None:
    frames = list(render(tiny_pipeline, signer(61, 83), movement(5, 83, 61), steps=2))
    assert len(frames) == 5
    assert all(frame.shape == (61, 83, 3) and frame.dtype == np.uint8 for frame in frames)
    assert any(not np.array_equal(a, b) for a, b in itertools.pairwise(frames))


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_batches_and_pieces_of_a_video_change_nothing(tiny_pipeline: FPDMPipeline, batch_size: int) -> None:
    frame, poses = signer(52, 42), movement(7, 42, 52)
    whole = np.stack(list(render(tiny_pipeline, frame, poses, steps=2, seed=3)))
    batched = np.stack(list(render(tiny_pipeline, frame, poses, steps=2, seed=3, batch_size=batch_size)))
    piece = np.stack(list(render(tiny_pipeline, frame, poses[2:5], steps=2, seed=3)))
    assert np.abs(whole.astype(int) - batched).max() <= 1
    assert np.abs(whole[2:5].astype(int) - piece).max() <= 1


def test_rendering_streams(tiny_pipeline: FPDMPipeline) -> None:
    stream = render(tiny_pipeline, signer(52, 42), movement(10_000, 42, 52), steps=1, batch_size=2)
    assert len(list(itertools.islice(stream, 3))) == 3  # ten thousand frames would take minutes


@pytest.mark.parametrize(
    ("frame", "poses", "message"),
    [
        (np.zeros((4, 4), np.uint8), movement(1, 4, 4), "must be uint8"),
        (np.zeros((4, 4, 3), np.float32), movement(1, 4, 4), "must be uint8"),
        (
            signer(52, 42),
            PoseSequence(np.ones((1, 18, 3), np.float32), (42, 52), 25.0, "openpose-18"),
            "needs whole-body poses",
        ),
    ],
)
def test_what_cannot_be_rendered_is_refused(
    tiny_pipeline: FPDMPipeline, frame: np.ndarray, poses: PoseSequence, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        render(tiny_pipeline, frame, poses)
