import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from signgen.errors import UserError
from signgen.models.autoencoder import encode
from signgen.models.composition import Composed
from signgen.models.pixels import to_images
from signgen.models.pose_inputs import PoseInputs
from signgen.poses import PoseSequence, draw_poses
from signgen.poses.skeleton_conversion import convert
from signgen.rendering.generator import render
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.presets import PUBLISHED_SCHEDULE
from tests.conftest import calls_of


def signer(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def movement(frames: int, width: int, height: int) -> PoseSequence:
    rng = np.random.default_rng(1)
    keypoints = rng.uniform(0.2, 0.8, (frames, 133, 3)) * (width, height, 1)
    return PoseSequence(keypoints.astype(np.float32), (width, height), 25.0, "coco-wholebody-133")


def test_a_frame_for_every_pose_in_the_images_size(tiny_pipeline: FPDMPipeline) -> None:
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


def rows_of_the_denoiser(pipeline: FPDMPipeline, frames: Iterator[np.ndarray]) -> tuple[list[int], np.ndarray]:
    """How many rows its denoiser is given, call by call, and the frames."""
    with calls_of(pipeline.unet.unet.conv_in) as rows:
        return rows, np.stack(list(frames))


class RoomForThree:
    """Stands for a device's memory."""

    def free(self) -> int:
        return 400

    def begin(self) -> None: ...

    def taken(self) -> int:
        return 100


def test_memory_chooses_the_batch_size_and_changes_nothing(
    tiny_pipeline: FPDMPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stream(**options: int) -> Iterator[np.ndarray]:
        return render(tiny_pipeline, signer(52, 42), movement(6, 42, 52), steps=1, guidance_source=1, **options)

    _, expected = rows_of_the_denoiser(tiny_pipeline, stream(batch_size=6, guidance_fusion=1))
    monkeypatch.setattr("signgen.rendering.generator.device_memory", lambda device: RoomForThree())
    rows, frames = rows_of_the_denoiser(tiny_pipeline, stream(guidance_fusion=1))
    assert rows == [1, 3, 2]
    assert np.abs(frames.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("count", "rows"), [(5, [3, 3]), (2, [2]), (6, [3, 3])])
def test_a_compiled_pipeline_sees_one_shape(
    tiny_pipeline: FPDMPipeline, monkeypatch: pytest.MonkeyPatch, count: int, rows: list[int]
) -> None:
    def stream() -> Iterator[np.ndarray]:
        options = {"steps": 1, "solver": "ddpm", "guidance_source": 1.0, "guidance_fusion": 1.0}
        return render(tiny_pipeline, signer(52, 42), movement(count, 42, 52), batch_size=3, **options)

    _, expected = rows_of_the_denoiser(tiny_pipeline, stream())
    monkeypatch.setattr(tiny_pipeline, "compiled", True)
    found, frames = rows_of_the_denoiser(tiny_pipeline, stream())
    assert found == rows
    assert frames.shape == expected.shape
    assert np.abs(frames.astype(int) - expected).max() <= 1


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("g++") is None, reason="torch compiles for CPUs with a C++ compiler, and there is none"
)
def test_compiling_takes_one_shape_and_changes_nothing_beyond_rounding(
    tiny_pipeline: FPDMPipeline, tmp_path: Path
) -> None:
    tiny_pipeline.save_pretrained(tmp_path)
    compiled = FPDMPipeline.from_pretrained(tmp_path)
    counter = CompileCounterWithBackend("inductor")
    compiled.compile(counter)
    plain, fast = (
        np.stack(list(render(pipeline, signer(52, 42), movement(5, 42, 52), steps=2, batch_size=3)))
        for pipeline in (tiny_pipeline, compiled)
    )
    assert counter.frame_count == 2  # the denoiser and the decoder, whole and once
    assert np.abs(plain.astype(int) - fast).max() <= 1


def test_rendering_streams(tiny_pipeline: FPDMPipeline) -> None:
    stream = render(tiny_pipeline, signer(52, 42), movement(10_000, 42, 52), steps=1, batch_size=2)
    assert len(list(itertools.islice(stream, 3))) == 3  # ten thousand frames would take minutes


def test_a_noise_prior_holds_what_the_schedule_leaves_of_the_source(tiny_pipeline: FPDMPipeline) -> None:
    frame, poses = signer(52, 42), movement(1, 42, 52)
    with pytest.raises(UserError, match="starts from pure noise"):
        render(tiny_pipeline, frame, poses, noise_prior=True)
    published = FPDMPipeline(**tiny_pipeline.components, image_size=(52, 42), source_size=(56, 42))
    published.register_modules(scheduler=DDIMScheduler(**PUBLISHED_SCHEDULE))
    noise = torch.randn(1, *published.noise_shape((52, 42)), generator=torch.Generator().manual_seed(0))
    prior = published.noised_source(frame, noise, {"steps": 20, "solver": "ddpm"})
    latents = encode(published.vae, to_images(torch.from_numpy(frame)[None]))
    alpha = published.scheduler.alphas_cumprod[951]
    assert torch.allclose(prior, alpha.sqrt() * latents + (1 - alpha).sqrt() * noise, atol=1e-5)
    options = {"steps": 2, "solver": "ddim", "guidance_source": 1.0, "guidance_fusion": 1.0}
    plain, started = (next(render(published, frame, poses, noise_prior=prior, **options)) for prior in (False, True))
    assert not np.array_equal(plain, started)


def test_a_model_is_shown_the_drawings_that_it_was_trained_on(tiny_pipeline: FPDMPipeline) -> None:
    """One of 18 points, as DeepFashion's are, sees discs, whichever skeleton the poses have."""
    parts = {name: part for name, part in tiny_pipeline.components.items() if name != "scheduler"}
    sizes = {"image_size": (52, 42), "source_size": (56, 56), "sampling": tiny_pipeline.config.sampling}
    model = FPDMPipeline(**parts, scheduler=tiny_pipeline.scheduler, **sizes, skeleton="openpose-18")
    whole = movement(1, 42, 52)
    seen = []

    def generate(source: object, poses: PoseInputs, *_: object, **__: object) -> Tensor:
        seen.append(poses.pose_maps)
        return torch.zeros(1, 3, 52, 42)

    model.generate = generate  # type: ignore[method-assign]
    for poses in (whole, convert(whole, "openpose-18")):
        list(render(model, signer(52, 42), poses))
    expected = next(draw_poses(convert(whole, "openpose-18"), 52, 42))
    for pose_maps in seen:
        np.testing.assert_array_equal(np.asarray(pose_maps[0]), expected)
    assert expected.any()


@pytest.mark.parametrize(
    ("frame", "poses", "message"),
    [
        (np.zeros((4, 4), np.uint8), movement(1, 4, 4), "must be uint8"),
        (np.zeros((4, 4, 3), np.float32), movement(1, 4, 4), "must be uint8"),
        (
            signer(52, 42),
            PoseSequence(np.ones((1, 18, 3), np.float32), (42, 52), 25.0, "openpose-18"),
            "reads whole-body poses",
        ),
    ],
)
def test_what_cannot_be_rendered_is_refused(
    tiny_pipeline: FPDMPipeline, frame: np.ndarray, poses: PoseSequence, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        render(tiny_pipeline, frame, poses)


def test_a_model_that_moves_the_first_frame_needs_its_pose(tiny_from_transport: FPDMPipeline) -> None:
    with pytest.raises(UserError, match="needs the pose of the signer in the first frame"):
        render(tiny_from_transport, signer(52, 42), movement(2, 42, 52))


def body(frames: int, width: int, height: int) -> PoseSequence:
    """A signer in the middle whose left wrist moves."""
    keypoints = np.zeros((frames, 133, 3), np.float32)
    shares = {0: (0.5, 0.3), 5: (0.65, 0.5), 6: (0.35, 0.5), 7: (0.7, 0.7), 8: (0.3, 0.7), 10: (0.35, 0.85)}
    for index, (x, y) in shares.items():
        keypoints[:, index] = (x * width, y * height, 1)
    keypoints[:, 9, 0] = np.linspace(0.5, 0.7, frames) * width
    keypoints[:, 9, 1:] = (0.6 * height, 1)
    return PoseSequence(keypoints, (width, height), 25.0, "coco-wholebody-133")


@pytest.mark.parametrize("batch_size", [1, 3])
def test_such_a_model_copies_the_frame_at_its_own_resolution(
    tiny_from_transport: FPDMPipeline, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    poses, frame = body(4, 420, 520), signer(520, 420)  # noise at ten times the model's size
    plain = tiny_from_transport.composition.forward

    def copying(generated: torch.Tensor, *rest: object) -> Composed:
        made = plain(generated, *rest)
        weights = torch.zeros_like(made.weights)
        weights[:, 0] = 1
        return Composed(weights, made.generated)

    monkeypatch.setattr(tiny_from_transport.composition, "forward", copying)
    frames = list(render(tiny_from_transport, frame, poses, source_pose=poses[:1], batch_size=batch_size))
    assert np.abs(frames[0].astype(int) - frame).max() <= 1  # every pixel of the first frame, from its own pose
    assert all(made.shape == frame.shape for made in frames)


def test_batches_change_nothing_of_a_composed_video(tiny_from_transport: FPDMPipeline) -> None:
    poses, frame = body(5, 84, 104), signer(104, 84)
    one, three = (
        np.stack(list(render(tiny_from_transport, frame, poses, source_pose=poses[:1], batch_size=size)))
        for size in (1, 3)
    )
    assert np.abs(one.astype(int) - three).max() <= 1
    assert any(not np.array_equal(a, b) for a, b in itertools.pairwise(one))
