"""PCDMs' pipeline: its shortcuts change nothing, each is compared with the long way round."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.errors import UserError
from signgen.models.conditions import source_hidden
from signgen.models.pixels import CLIP_STATISTICS, resize, to_images
from signgen.models.pose_inputs import PoseInputs
from signgen.poses import PoseSequence
from signgen.rendering.generator import render
from signgen.rendering.render_to_file import load_pipeline
from signgen.sampling.denoiser import denoise
from signgen.sampling.guidance import guidance_branches
from signgen.systems.pcdm.canvas import canvas_latents, canvas_pose_maps, decode_target, known_part
from signgen.systems.pcdm.pipeline import PCDMPipeline, Stages
from tests.conftest import calls_of

SIZE = (52, 42)


def frames(count: int, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *SIZE, 3), dtype=np.uint8)


def poses(count: int, seed: int) -> PoseInputs:
    points = np.random.default_rng(seed).uniform(0, 1, (count, 18, 2)).astype(np.float32)
    return PoseInputs(frames(count, seed + 1), points)


def movement(count: int) -> PoseSequence:
    keypoints = np.random.default_rng(1).uniform(0.2, 0.8, (count, 133, 3)) * (83, 61, 1)
    return PoseSequence(keypoints.astype(np.float32), (83, 61), 25.0, "coco-wholebody-133")


@pytest.mark.parametrize("guidance", [2.0, 1.0, 0.0])
def test_branches_and_caches_equal_the_published_guidance(tiny_pcdm: PCDMPipeline, guidance: float) -> None:
    """Stage 2: tokens projected anew for every frame, and both branches in full, the null one on zero vectors."""
    target, inpaint, generator = poses(3, 2), tiny_pcdm.inpaint, torch.Generator().manual_seed(0)
    source = tiny_pcdm.encode_source(frames(1), poses(1, 8))
    embedding = torch.randn(3, tiny_pcdm.prior.config.embedding_dim, generator=generator)
    pose_maps = torch.from_numpy(target.pose_maps)
    latents = torch.randn(3, inpaint.latent_channels, 7, 12, generator=generator)
    timestep = torch.tensor(700)
    with torch.no_grad():
        conditions = tiny_pcdm.inpaint_conditions(source, pose_maps, embedding)
        guided = denoise(inpaint, conditions, guidance_branches(guidance, guidance), latents, timestep)

        repeated = torch.from_numpy(np.repeat(frames(1), 3, axis=0))
        hidden = source_hidden(
            tiny_pcdm.source_encoder, resize(repeated, tiny_pcdm.config.source_size), CLIP_STATISTICS
        )
        tokens = torch.cat([inpaint.source_tokens(hidden), embedding[:, None]], dim=1)
        own = torch.from_numpy(np.repeat(poses(1, 8).pose_maps, 3, axis=0))
        features = inpaint.pose_features(canvas_pose_maps(own, pose_maps, 8))
        given = torch.cat([latents, known_part(tiny_pcdm.vae, to_images(repeated))], dim=1)
        null, full = (
            inpaint(given, timestep, inpaint.source_context(scale * tokens), features, scale * embedding)
            for scale in (0, 1)
        )
    assert torch.allclose(guided, null + guidance * (full - null), atol=1e-5)


@pytest.mark.parametrize("solver", ["ddim", "ddpm", "dpm++", "unipc"])
def test_the_batch_size_changes_nothing(tiny_pcdm: PCDMPipeline, solver: str) -> None:
    image = Image.fromarray(frames(1)[0])
    runs = [
        tiny_pcdm(image, poses(1, 8), poses(5, 2), solver=solver, batch_size=size, num_inference_steps=2, seed=4)
        for size in (1, 2, 5)
    ]
    assert runs[0].frames.shape == (5, *SIZE, 3)
    for other in runs[1:]:
        assert np.abs(runs[0].embedding - other.embedding).max() < 1e-4
        assert np.abs(runs[0].coarse - other.coarse).max() < 1e-4
        # A level of the coarse image, which is rounded between the stages, may fall either way.
        assert np.abs(runs[0].frames - other.frames).max() < 0.02


def test_saving_memory_changes_nothing(tiny_pcdm: PCDMPipeline) -> None:
    image = Image.fromarray(frames(1)[0])
    options = {"guidance_scale": 2.0, "num_inference_steps": 2}
    plain = tiny_pcdm(image, poses(1, 8), poses(3, 2), **options).coarse
    tiny_pcdm.save_memory()
    try:
        saving = tiny_pcdm(image, poses(1, 8), poses(3, 2), **options).coarse
    finally:
        tiny_pcdm.save_memory(False)
    assert np.abs(plain - saving).max() < 1e-4


def test_shortcuts_are_those_of_every_system(tiny_pcdm: PCDMPipeline) -> None:
    frame, options = frames(1)[0], {"source_pose": movement(1), "steps": 3}
    unguided = np.stack(list(render(tiny_pcdm, frame, movement(2), guidance_source=1.0, **options)))
    never = np.stack(list(render(tiny_pcdm, frame, movement(2), guidance_source=2.0, guidance_steps=(0, 0), **options)))
    assert np.array_equal(unguided, never)
    with calls_of(tiny_pcdm.inpaint.unet.mid_block) as calls:
        list(render(tiny_pcdm, frame, movement(2), deep_cache=2, **options))
    assert len(calls) == 2


def test_rendering_needs_and_uses_the_sources_own_pose(tiny_pcdm: PCDMPipeline) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    with pytest.raises(UserError, match="needs the pose of the signer in the first frame"):
        render(tiny_pcdm, frame, movement(3))
    driven = np.stack(list(render(tiny_pcdm, frame, movement(3), source_pose=movement(1))))
    assert driven.shape == (3, 61, 83, 3)
    other = np.stack(list(render(tiny_pcdm, frame, movement(3), source_pose=movement(3)[2:])))
    assert (driven != other).any()
    with pytest.raises(UserError, match="one guidance weight, here are two"):
        render(tiny_pcdm, frame, movement(3), source_pose=movement(1), guidance_source=2.0, guidance_fusion=1.0)


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batches_and_pieces_of_a_video_change_nothing(tiny_pcdm: PCDMPipeline, batch_size: int) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    options = {"source_pose": movement(1), "seed": 3, "fit": "squash"}
    whole = np.stack(list(render(tiny_pcdm, frame, movement(4), **options)))
    piece = np.stack(list(render(tiny_pcdm, frame, movement(4)[1:3], batch_size=batch_size, **options)))
    assert np.abs(whole[1:3].astype(int) - piece).max() <= 4


def test_every_stages_output_can_be_kept(tiny_pcdm: PCDMPipeline) -> None:
    kept: list[Stages] = []
    tiny_pcdm.keep = kept.append
    frame = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    try:
        list(render(tiny_pcdm, frame, movement(3), source_pose=movement(1), batch_size=2))
    finally:
        tiny_pcdm.keep = None
    assert [len(stages.embedding) for stages in kept] == [2, 1]
    assert all(stages.coarse.shape[1:] == (3, *SIZE) for stages in kept)
    assert (kept[0].coarse - kept[0].refined).abs().max() > 1e-3


def test_without_its_third_stage_the_coarse_images_are_the_result(tiny_pcdm: PCDMPipeline) -> None:
    settings = {name: tiny_pcdm.config[name] for name in ("image_size", "source_size", "sampling")}
    stage_2 = PCDMPipeline(**tiny_pcdm.components | {"refine": None}, **settings)
    image = Image.fromarray(frames(1)[0])
    output, whole = (pipeline(image, poses(1, 8), poses(2, 2)) for pipeline in (stage_2, tiny_pcdm))
    assert np.array_equal(output.frames, output.coarse)
    assert np.abs(output.coarse - whole.coarse).max() < 1e-5


def test_a_saved_pipeline_renders_the_same_and_says_what_it_lacks(tiny_pcdm: PCDMPipeline, tmp_path: Path) -> None:
    image = Image.fromarray(frames(1)[0])
    tiny_pcdm.save_pretrained(tmp_path / "whole")
    again = load_pipeline(tmp_path / "whole", "cpu", torch.float32)
    assert isinstance(again, PCDMPipeline)
    inputs = (image, poses(1, 8), poses(2, 2))
    assert np.array_equal(tiny_pcdm(*inputs).frames, again(*inputs).frames)

    left_out = {"vae": None, "image_encoder": None, "source_encoder": None}
    PCDMPipeline(**tiny_pcdm.components | left_out).save_pretrained(tmp_path / "denoisers")
    denoisers = PCDMPipeline.from_pretrained(tmp_path / "denoisers")
    assert denoisers.vae is None
    assert torch.equal(denoisers.prior.transformer.prd_embedding, tiny_pcdm.prior.transformer.prd_embedding)
    with pytest.raises(UserError, match="lacks vae, source_encoder, image_encoder"):
        denoisers(*inputs)


def test_the_canvas_is_two_images_side_by_side(tiny_pcdm: PCDMPipeline) -> None:
    sources, targets = (to_images(torch.from_numpy(frames(2, seed))) for seed in (1, 2))
    with torch.no_grad():
        latents, known = canvas_latents(tiny_pcdm.vae, sources, targets), known_part(tiny_pcdm.vae, sources)
        assert latents.shape == (2, 4, 7, 12)
        assert known.shape == (2, 5, 7, 12)
        assert (known[:, 0, :, :6] == 1).all()
        assert (known[:, 0, :, 6:] == 0).all()
        assert decode_target(tiny_pcdm.vae, latents, *SIZE).shape == (2, 3, *SIZE)
