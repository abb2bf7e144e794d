"""What a training takes, against known figures and against a real step."""

import time
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from signgen.systems.fpdm.presets import preset
from signgen.systems.trainings import KINDS, load_settings
from signgen.training.memory_estimate import (
    LiveMemory,
    batch_flops,
    estimate,
    lean_kernels,
    meta_batch,
    meta_objective,
    peak_memory,
)
from tests.tiny_training import CONFIGS

FPDM = Path(__file__).parents[2] / "configs" / "fpdm"
LARGER = [kind for kind in KINDS if kind not in ("autoencoder", "fusion")]


def test_live_memory_is_the_most_at_a_time() -> None:
    with LiveMemory() as memory:
        a = torch.empty(1000, device="meta")  # 4,000 bytes
        b = a + 1
        del a
        c = b.view(10, 100)  # shares its storage
        d = c * 2
        del b, c
    assert memory.peak == 8000
    assert memory.now == 4000
    del d


def test_a_meta_step_takes_what_a_real_one_does() -> None:
    settings = load_settings("fusion", CONFIGS / "fusion.yaml", ["data.roots=[x]", "image_size=32x32"])
    network = meta_objective(KINDS["fusion"][1], settings)
    batch = meta_batch(settings.batch_size, network.size, network.noise_count)
    flops, peak = batch_flops(network, batch, "fp32"), peak_memory(network, batch, "fp32")

    real = KINDS["fusion"][1](settings)
    real.freeze()
    real.train()
    batch = {name: torch.zeros(tensor.shape, dtype=tensor.dtype) for name, tensor in batch.items()}
    for parameter in real.parameters():
        parameter.register_post_accumulate_grad_hook(lambda parameter: setattr(parameter, "grad", None))
    with LiveMemory() as memory:
        real(batch)["loss"].backward()
    with FlopCounterMode(display=False) as counter:
        real(batch)["loss"].backward()
    # Attention that keeps no weights computes them anew on its way back.
    assert counter.get_total_flops() < flops < 1.05 * counter.get_total_flops()
    assert peak == pytest.approx(memory.peak, rel=0.2)


def test_kernels_compute_in_the_precision_asked_for() -> None:
    x, w = torch.empty(2, 16, device="meta"), torch.empty(16, 16, device="meta")
    with lean_kernels("bf16"):
        assert F.linear(x, w).dtype == torch.bfloat16
        assert F.layer_norm(F.linear(x, w), (16,)).dtype == torch.float32
    assert F.linear(x, w).dtype == torch.float32


@pytest.mark.slow
def test_the_paper_size_is_estimated_in_seconds_and_checkpointing_saves() -> None:
    settings = load_settings("diffusion", FPDM / "phoenix14t" / "diffusion.yaml")
    start = time.process_time()
    found = estimate(KINDS["diffusion"][1], settings)
    assert time.process_time() - start < 30  # of work: other processes may take their share of the machine
    assert found.parameters["unet"] == pytest.approx(870e6, rel=0.01)  # Stable Diffusion 2.1's 866 M and its conditions
    assert found.parameters["source_encoder"] == 304_368_640  # DINOv2-large
    assert found.trained == {"unet": found.parameters["unet"]}
    assert found.optimizer == 2 * found.gradients == 8 * found.trained["unet"]
    assert found.activations_checkpointed < 0.5 * found.activations
    assert found.total < 80 * 2**30  # the published batch fits on the published GPU
    assert estimate(KINDS["fusion"][1], load_settings("fusion", FPDM / "phoenix14t" / "fusion.yaml")).total > 0


@pytest.mark.parametrize(
    "kind", ["autoencoder", "fusion", *(pytest.param(kind, marks=pytest.mark.slow) for kind in LARGER)]
)
def test_options_show_in_the_estimate(kind: str) -> None:
    def found(*overrides: str) -> int:
        given = {"diffusion": ["autoencoder=a", "fusion=b"], "distill": ["teacher_steps=1"]}.get(kind, [])
        settings = load_settings(kind, CONFIGS / f"{kind}.yaml", [*given, "ema=0", *overrides])
        return estimate(KINDS[kind][1], settings).total

    plain = found("batch_size=16")
    assert found("batch_size=16", "ema=0.9") > plain
    assert found("batch_size=16", "optimizer.eight_bit=true") < plain
    assert found("batch_size=64") > 2 * plain
    if not KINDS[kind][1].whole_batch:
        assert found("batch_size=64", "device_batch=16") == plain


def test_the_preset_is_what_is_estimated() -> None:
    settings = load_settings("fusion", CONFIGS / "fusion.yaml", [])
    whole = sum(parameter.numel() for parameter in preset("tiny").build_fusion().parameters())
    assert estimate(KINDS["fusion"][1], settings).parameters == {"fusion": whole}
