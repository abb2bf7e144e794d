"""How much arithmetic rendering and training are, how fast a device could do it, and how much memory is in use."""

import resource
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from signgen.fpdm import FPDMPipeline
from signgen.models.autoencoder import decode, encode
from signgen.models.conditions import fusion_embedding, source_hidden
from signgen.models.pixels import to_images
from signgen.models.unet import DeepFeatures
from signgen.sampling.denoiser import DeepCache
from signgen.sampling.plan import Step, sampling_plan

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class PipelineFlops:
    """Floating-point operations. parts: of one call of each, nothing cached. video: once per video, by what it is
    for; frame: once per frame."""

    parts: dict[str, float]
    video: dict[str, float]
    frame: dict[str, float]

    def of_video(self, frames: int) -> float:
        """All there is to do for a video of so many frames."""
        return sum(self.video.values()) + frames * sum(self.frame.values())


def count_flops(function: Callable[[], Any]) -> float:
    """Floating-point operations of matrix products, convolutions and attentions in a call; two a multiply-add."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function()
    return float(counter.get_total_flops())


def pipeline_flops(pipeline: FPDMPipeline, **options: Any) -> PipelineFlops:
    """What rendering takes, of a pipeline on the meta device (`FPDMPipeline.without_weights`): shapes suffice.

    options: sampling options in place of the model's own.
    """
    sampling, size = pipeline.sampling_options(**options), tuple(pipeline.config.picture_size)
    source_pixels = torch.empty((1, *pipeline.config.source_size, 3), dtype=torch.uint8, device="meta")
    drawings = torch.empty((1, *size, 3), dtype=torch.uint8, device="meta")
    latents = torch.empty((1, *pipeline.noise_shape(size)), device="meta")
    source = pipeline.encode_source(source_pixels)
    conditions = pipeline.encode_poses(source, drawings, size)
    plan = sampling_plan(**{name: value for name, value in sampling.items() if name != "solver"})
    timestep, unet = torch.tensor(1), pipeline.unet

    def step_flops(step: Step) -> float:
        deep: DeepCache = defaultdict(DeepFeatures)
        if not step.fresh:
            pipeline.denoise(conditions, step.branches, latents, timestep, deep)
        return count_flops(lambda: pipeline.denoise(conditions, step.branches, latents, timestep, deep))

    hidden = source_hidden(pipeline.source_encoder, source_pixels)
    tokens = unet.source_tokens(hidden)
    keys = count_flops(lambda: unet.source_context(tokens))
    encoder = count_flops(lambda: source_hidden(pipeline.source_encoder, source_pixels))
    embedding = count_flops(lambda: fusion_embedding(pipeline.fusion, drawings))
    decoding = count_flops(lambda: decode(pipeline.vae, latents, *size))
    from_source = pipeline.config.start == "source"
    encoding = count_flops(lambda: encode(pipeline.vae, to_images(drawings))) if from_source else 0.0
    call = count_flops(lambda: unet(latents, timestep, source.context, conditions.pose_features, conditions.fusion))
    return PipelineFlops(
        parts={"source_encoder": encoder, "fusion": embedding, "unet": keys + call, "vae": decoding},
        video={
            "source_encoder": encoder,
            "fusion": embedding,
            "unet": count_flops(lambda: unet.source_tokens(hidden)) + keys,
            "vae": encoding,
        },
        frame={
            "poses": count_flops(lambda: pipeline.encode_poses(source, drawings, size)),
            "unet": sum(count * step_flops(step) for step, count in Counter(plan).items()),
            "vae": decoding,
        },
    )


def device_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second that a large matrix product reaches on the device in this precision."""
    edge = 1024 if device.type == "cpu" else 8192
    a, b = torch.randn(2, edge, edge, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(4):
        synchronize(device)
        start = time.perf_counter()
        a @ b
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * edge**3 / best


def fastest_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device has instructions for it, else float32.

    By the instructions and not by a measurement, which on a busy machine would give one seed two videos.
    """
    if device.type == "cuda":
        has = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        cpu = device.type == "cpu"
        has = cpu and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.bfloat16 if has else torch.float32


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(device: torch.device) -> int:
    """The most bytes in use so far: of the device's tensors on CUDA, else of the process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
