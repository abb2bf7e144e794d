"""The pipeline's shortcuts change nothing: each is compared with the long way round."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.errors import UserError
from signgen.models.autoencoder import encode
from signgen.models.conditions import fusion_embedding, source_hidden
from signgen.models.pixels import resize, to_images
from signgen.models.pose_inputs import PoseInputs
from signgen.models.unet import DeepFeatures
from signgen.sampling.denoiser import DeepCache
from signgen.sampling.guidance import Branch, guidance_branches
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.presets import preset
from tests.conftest import calls_of


def images(count: int, size: tuple[int, int] = (52, 42)) -> list[Image.Image]:
    rng = np.random.default_rng(5)
    return [Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)) for _ in range(count)]


def arrays(outputs: list[Image.Image]) -> np.ndarray:
    return np.stack([np.asarray(image) for image in outputs])


@pytest.fixture(scope="module", params=["tiny", "mini"])
def pipeline(request: pytest.FixtureRequest, tiny_pipeline: FPDMPipeline) -> FPDMPipeline:
    if request.param == "tiny":
        return tiny_pipeline
    torch.manual_seed(0)
    pipeline = FPDMPipeline.from_preset(preset("mini"))
    for layer in (pipeline.unet.pose_encoder.conv_out, pipeline.vae.decoder.conv_out):  # both start at zero
        torch.nn.init.normal_(layer.weight, std=0.1)
    return pipeline


def published_guidance(
    pipeline: FPDMPipeline, latents: torch.Tensor, timestep: torch.Tensor, source: float, fusion: float
) -> torch.Tensor:
    """Three branches, tokens and keys computed anew, everything repeated per frame: the way it is published."""
    first, *poses = images(1 + len(latents))
    repeated = torch.from_numpy(arrays([first] * len(poses)))
    pose_maps = torch.from_numpy(arrays(poses))
    with torch.no_grad():
        repeated = resize(repeated, pipeline.config.source_size)
        tokens = pipeline.unet.source_tokens(source_hidden(pipeline.source_encoder, repeated))
        features = pipeline.unet.pose_features(pose_maps.movedim(-1, 1) / 255)
        fused = pipeline.fusion(
            fusion_embedding(pipeline.fusion, repeated), fusion_embedding(pipeline.fusion, pose_maps)
        )
        zero = torch.zeros_like
        predictions = [
            pipeline.unet(latents, timestep, pipeline.unet.source_context(t), f, e)
            for t, f, e in [
                (zero(tokens), zero(features), zero(fused)),
                (tokens, features, zero(fused)),
                (tokens, features, fused),
            ]
        ]
    null, with_source, with_both = predictions
    return null + source * (with_source - null) + fusion * (with_both - with_source)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(("source", "fusion"), [(2.0, 2.0), (1.0, 1.0), (2.0, 1.5), (0.0, 0.0), (1.0, 3.0)])
def test_branches_and_caches_equal_the_published_guidance(
    pipeline: FPDMPipeline, rows: int, source: float, fusion: float
) -> None:
    first, *poses = images(1 + rows)
    conditions = pipeline.encode_poses(pipeline.encode_source(arrays([first])), arrays(poses), (52, 42))
    latents = torch.randn(rows, *pipeline.noise_shape((52, 42)), generator=torch.Generator().manual_seed(0))
    timestep = torch.tensor(700)
    guided = pipeline.denoise(conditions, guidance_branches(source, fusion), latents, timestep)
    expected = published_guidance(pipeline, latents, timestep, source, fusion)
    assert torch.allclose(guided, expected, atol=2e-5)


def test_what_is_constant_is_computed_once(tiny_pipeline: FPDMPipeline) -> None:
    source, *poses = images(6)
    parts = {
        "source encoder": tiny_pipeline.source_encoder,
        "source tokens": tiny_pipeline.unet.source_projection,
        "keys": tiny_pipeline.unet._cross_attentions[0].to_k,
        "pose features": tiny_pipeline.unet.pose_encoder,
        "null attention": tiny_pipeline.unet._cross_attentions[0].to_q,
    }
    calls: dict[str, list[int]] = {name: [] for name in parts}

    def count(name: str) -> Callable[..., None]:
        return lambda module, args, kwargs: calls[name].append(len(next(iter([*args, *kwargs.values()]))))

    hooks = [module.register_forward_pre_hook(count(name), with_kwargs=True) for name, module in parts.items()]
    try:
        tiny_pipeline(source, poses, batch_size=2, num_inference_steps=3, guidance_scale=2.0)
    finally:
        for hook in hooks:
            hook.remove()
    assert calls["source encoder"] == calls["source tokens"] == calls["keys"] == [1]  # per video
    assert calls["pose features"] == [2, 2, 1]  # per frame, not per step
    assert calls["null attention"] == [2] * 3 + [2] * 3 + [1] * 3  # not for the null branch


def test_sources_of_their_own_for_every_row(tiny_pipeline: FPDMPipeline) -> None:
    outputs, poses = images(3), images(5)[2:]
    size = (52, 42)
    latents = torch.randn(3, *tiny_pipeline.noise_shape(size), generator=torch.Generator().manual_seed(0))
    options = {"size": size, "steps": 2, "solver": "ddim", "guidance_source": 2.0, "guidance_fusion": 1.5}
    together = tiny_pipeline.generate(
        tiny_pipeline.encode_source(arrays(outputs)), PoseInputs(arrays(poses)), latents, **options
    )
    for row in range(3):
        alone = tiny_pipeline.generate(
            tiny_pipeline.encode_source(arrays(outputs[row : row + 1])),
            PoseInputs(arrays(poses[row : row + 1])),
            latents[row : row + 1],
            **options,
        )
        assert torch.allclose(together[row], alone[0], atol=1e-4)


@pytest.mark.parametrize("size", [(52, 42), (76, 58)])
@pytest.mark.parametrize("one_by_one", [False, True])
def test_deep_features_of_the_same_latents_change_nothing(
    pipeline: FPDMPipeline, one_by_one: bool, size: tuple[int, int]
) -> None:
    first, *poses = images(3, size)
    conditions = pipeline.encode_poses(pipeline.encode_source(arrays([first])), arrays(poses), size)
    latents = torch.randn(2, *pipeline.noise_shape(size), generator=torch.Generator().manual_seed(0))
    inputs = conditions, guidance_branches(2.0, 1.5), latents, torch.tensor(700)
    plain = pipeline.denoise(*inputs)
    deep: DeepCache = defaultdict(DeepFeatures)
    pipeline.save_memory(one_by_one)
    try:
        kept = pipeline.denoise(*inputs, deep)
        with calls_of(pipeline.unet.unet.mid_block) as calls:
            again = pipeline.denoise(*inputs, deep)
    finally:
        pipeline.save_memory(False)
    assert not calls
    assert torch.allclose(plain, kept, atol=2e-5)
    assert torch.allclose(plain, again, atol=2e-5)


@pytest.mark.parametrize(("shortcuts", "deep", "rows"), [
    ({}, 5, [4, 4, 4, 4, 4]),
    ({"guidance_steps": (1, 3)}, 5, [2, 4, 4, 2, 2]),
    ({"deep_cache": 2}, 3, [4, 4, 4, 4, 4]),
    ({"deep_cache": 5, "guidance_steps": (1, None)}, 2, [2, 4, 4, 4, 4]),
])  # fmt: skip
def test_shortcuts_leave_out_what_they_say(
    tiny_pipeline: FPDMPipeline, shortcuts: dict, deep: int, rows: list[int]
) -> None:
    source, *poses = images(3)
    conditions = tiny_pipeline.encode_source(arrays([source]))
    noise = torch.randn(2, *tiny_pipeline.noise_shape((52, 42)), generator=torch.Generator().manual_seed(0))
    options = {"steps": 5, "solver": "dpm++", "guidance_source": 2.0, "guidance_fusion": 2.0} | shortcuts
    unet = tiny_pipeline.unet.unet
    with calls_of(unet.mid_block) as deep_calls, calls_of(unet.conv_in) as calls:
        tiny_pipeline.generate_latents(conditions, PoseInputs(arrays(poses)), noise, size=(52, 42), **options)
    assert len(deep_calls) == deep
    assert calls == rows


def test_guidance_at_no_step_is_no_guidance(tiny_pipeline: FPDMPipeline) -> None:
    source, pose = images(2)
    conditions = tiny_pipeline.encode_source(arrays([source]))
    noise = torch.randn(1, *tiny_pipeline.noise_shape((52, 42)), generator=torch.Generator().manual_seed(0))

    def latents(weight: float, guided: tuple[int | None, int | None]) -> torch.Tensor:
        weights = {"guidance_source": weight, "guidance_fusion": weight, "guidance_steps": guided}
        options = {"size": (52, 42), "steps": 3, "solver": "ddim", **weights}
        return tiny_pipeline.generate_latents(conditions, PoseInputs(arrays([pose])), noise, **options)

    assert torch.equal(latents(2.0, (0, 0)), latents(1.0, (None, None)))
    assert torch.equal(latents(2.0, (0, 3)), latents(2.0, (None, None)))
    assert not torch.allclose(latents(2.0, (1, 2)), latents(2.0, (None, None)), atol=1e-4)


@pytest.mark.parametrize(
    ("pipeline", "solver"),
    [("tiny", "ddim"), ("tiny", "ddpm"), ("tiny", "dpm++"), ("tiny", "unipc"), ("mini", "ddim")],
    indirect=["pipeline"],
)
def test_the_batch_size_changes_nothing(pipeline: FPDMPipeline, solver: str) -> None:
    source, *poses = images(6)
    options = {"num_inference_steps": 3, "solver": solver, "seed": 4, "height": 52, "width": 42}
    runs = [pipeline(source, poses, batch_size=size, **options).frames for size in (1, 2, 5)]
    assert runs[0].shape == (5, 52, 42, 3)
    assert np.abs(runs[0] - runs[1]).max() < 1e-4
    assert np.abs(runs[0] - runs[2]).max() < 1e-4


def test_seeds_differ_and_repeat(tiny_pipeline: FPDMPipeline) -> None:
    source, pose = images(2)
    first, again, other = (tiny_pipeline(source, [pose], seed=seed).frames for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_equal_poses_give_equal_frames(tiny_pipeline: FPDMPipeline) -> None:
    source, pose = images(2)
    frames = tiny_pipeline(source, [pose, pose], solver="ddim").frames
    assert np.allclose(frames[0], frames[1], atol=1e-5)


def test_other_sizes_and_output_types(tiny_pipeline: FPDMPipeline) -> None:
    source, pose = images(2)
    assert tiny_pipeline(source, [pose], height=64, width=50, output_type="uint8").frames.shape == (1, 64, 50, 3)
    assert tiny_pipeline(source, [pose], output_type="pil").frames[0].size == (42, 52)


def test_given_latents_are_the_initial_noise(tiny_pipeline: FPDMPipeline) -> None:
    source, pose = images(2)
    latents = torch.randn(1, *tiny_pipeline.noise_shape((52, 42)), generator=torch.Generator().manual_seed(9))
    given = tiny_pipeline(source, [pose, pose], latents=latents).frames
    assert np.allclose(given[0], given[1], atol=1e-5)
    assert np.abs(given - tiny_pipeline(source, [pose, pose]).frames).max() > 1e-3


def test_no_poses_are_refused(tiny_pipeline: FPDMPipeline) -> None:
    with pytest.raises(UserError, match="nothing to render"):
        tiny_pipeline(images(1)[0], [])


def test_conditions_of_a_branch_are_as_named() -> None:
    assert guidance_branches(2, 2) == [Branch(-1, False, False), Branch(2, True, True)]


@pytest.mark.parametrize(("source", "fusion"), [(2.0, 2.0), (2.0, 1.5), (1.0, 1.0)])
def test_saving_memory_changes_nothing_but_the_batches(
    tiny_pipeline: FPDMPipeline, source: float, fusion: float
) -> None:
    image, *poses = images(4)
    rows: dict[str, list[int]] = {"unet": [], "decoder": []}
    hooks = [
        module.register_forward_pre_hook(lambda module, args, name=name: rows[name].append(len(args[0])))
        for name, module in (("unet", tiny_pipeline.unet), ("decoder", tiny_pipeline.vae.decoder))
    ]
    options = {"guidance_source": source, "guidance_fusion": fusion, "num_inference_steps": 2}
    try:
        plain = tiny_pipeline(image, poses, **options).frames
        together = {name: max(counts) for name, counts in rows.items()}
        for counts in rows.values():
            counts.clear()
        tiny_pipeline.save_memory()
        saving = tiny_pipeline(image, poses, **options).frames
    finally:
        tiny_pipeline.save_memory(False)
        for hook in hooks:
            hook.remove()
    assert np.abs(plain - saving).max() < 1e-4
    assert together == {"unet": 3 * len(guidance_branches(source, fusion)), "decoder": 3}
    assert {name: max(counts) for name, counts in rows.items()} == {"unet": 3, "decoder": 1}


def test_a_model_may_start_from_the_source_in_place_of_noise(
    tiny_pipeline: FPDMPipeline, tiny_from_source: FPDMPipeline
) -> None:
    source, *poses = images(4)
    frames, other = (tiny_from_source(source, poses, seed=seed).frames for seed in (0, 1))
    assert np.array_equal(frames, other)
    latents = encode(tiny_pipeline.vae, to_images(torch.from_numpy(arrays([source]))))
    noise_free = tiny_pipeline(source, poses, latents=latents, num_inference_steps=2, guidance_scale=1.0).frames
    assert np.allclose(frames, noise_free, atol=1e-5)


def test_such_a_model_renders_other_sizes_too(tiny_from_source: FPDMPipeline) -> None:
    source, pose = images(2)
    assert tiny_from_source(source, [pose], height=64, width=50).frames.shape == (1, 64, 50, 3)


def test_such_a_model_has_no_noise_prior(tiny_from_source: FPDMPipeline) -> None:
    frame, noise = arrays(images(1))[0], torch.zeros(1, *tiny_from_source.noise_shape((52, 42)))
    with pytest.raises(UserError, match="starts from the source itself"):
        tiny_from_source.noised_source(frame, noise, tiny_from_source.sampling_options())
