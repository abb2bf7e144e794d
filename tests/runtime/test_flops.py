from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from signgen.cli.demo import EXAMPLE
from signgen.models.pose_inputs import PoseInputs
from signgen.poses import read_poses
from signgen.rendering.generator import render
from signgen.runtime.device import fastest_dtype, peak_memory
from signgen.runtime.flops import count_flops
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.pipeline_flops import PipelineFlops, pipeline_flops
from signgen.systems.fpdm.presets import PAPER
from signgen.video import read_image


@pytest.fixture(scope="module")
def paper() -> FPDMPipeline:
    with torch.device("meta"):
        return FPDMPipeline.from_preset(PAPER)


@pytest.fixture(scope="module")
def published(paper: FPDMPipeline) -> PipelineFlops:
    """20 steps, guidance 2."""
    return pipeline_flops(paper)


def test_the_published_parts_arithmetic(published: PipelineFlops) -> None:
    parts = published.parts
    assert parts["unet"] / 1e12 == pytest.approx(0.923, abs=0.002)  # with 1,297 tokens
    assert parts["vae"] / 1e12 == pytest.approx(2.515, abs=0.005)
    assert parts["source_encoder"] / 1e12 == pytest.approx(0.95, abs=0.01)
    assert parts["fusion"] / 1e12 == pytest.approx(0.16, abs=0.01)


def test_stable_diffusions_unet_with_its_own_77_tokens(paper: FPDMPipeline) -> None:
    unet = paper.unet
    latents, features = torch.empty(1, 4, 64, 64, device="meta"), torch.zeros(1, 320, 64, 64, device="meta")
    tokens, fusion = torch.empty(1, 77, 1024, device="meta"), torch.empty(1, 768, device="meta")
    flops = count_flops(lambda: unet(latents, torch.tensor(1), unet.source_context(tokens), features, fusion))
    assert flops / 1e12 == pytest.approx(0.804, abs=0.002)


def test_a_frame_takes_its_steps_and_branches(paper: FPDMPipeline, published: PipelineFlops) -> None:
    guided, unguided = published, pipeline_flops(paper, steps=4, guidance_source=1.0, guidance_fusion=1.0)
    assert guided.video == unguided.video
    assert guided.frame["vae"] == unguided.frame["vae"]
    one_step = unguided.frame["unet"] / 4
    assert one_step < guided.parts["unet"]  # keys and values are there already
    assert 1.8 < guided.frame["unet"] / 20 / one_step < 2  # the null branch has no cross-attention
    assert guided.of_video(10) == sum(guided.video.values()) + 10 * sum(guided.frame.values())


@pytest.mark.parametrize(
    ("start", "shortcuts"),
    [
        ("tiny_pipeline", {}),
        ("tiny_from_source", {}),
        ("tiny_pipeline", {"guidance_steps": (0, 2), "deep_cache": 2}),
    ],
)
def test_the_sum_is_what_rendering_executes(
    request: pytest.FixtureRequest, tmp_path: Path, start: str, shortcuts: dict[str, Any]
) -> None:
    request.getfixturevalue(start).save_pretrained(tmp_path)
    pipeline = FPDMPipeline.without_weights(tmp_path)
    size, frames = (52, 42), torch.zeros(2, 52, 42, 3, dtype=torch.uint8, device="meta")
    noise = torch.zeros(2, *pipeline.noise_shape(size), device="meta")

    def render() -> torch.Tensor:
        options = pipeline.sampling_options(steps=3, **shortcuts)
        return pipeline.generate(pipeline.encode_source(frames[:1]), PoseInputs(frames), noise, size=size, **options)

    assert count_flops(render) == pytest.approx(pipeline_flops(pipeline, steps=3, **shortcuts).of_video(2), rel=1e-6)


def test_memory_in_use() -> None:
    before = peak_memory(torch.device("cpu"))
    held = torch.ones(50_000_000)
    assert peak_memory(torch.device("cpu")) >= max(before, held.nbytes)


@pytest.mark.parametrize(("has", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_takes_the_precision_it_has_instructions_for(
    monkeypatch: pytest.MonkeyPatch, has: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: has)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    assert fastest_dtype(torch.device("cpu")) is dtype
    assert fastest_dtype(torch.device("mps")) is torch.float32


@pytest.mark.slow
def test_bfloat16_costs_less_than_a_level() -> None:
    frame, poses = read_image(EXAMPLE / "signer.png"), read_poses(EXAMPLE / "signer.npz")[:6:3]
    full, half = (
        np.stack(list(render(pipeline, frame, poses, source_pose=poses[:1]))).astype(int)
        for pipeline in (FPDMPipeline.from_pretrained("mini", dtype=dtype) for dtype in (torch.float32, torch.bfloat16))
    )
    assert np.abs(full - half).mean() < 0.5
    assert np.percentile(np.abs(full - half), 99) <= 2
