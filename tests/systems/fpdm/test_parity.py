"""FPDM against a plain reference: the stock networks of diffusers and transformers, the paper's equations written out.

Nothing is cached, batched or skipped in it, and it shares no code with what it checks but the networks' weights.
"""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from PIL import Image
from torch import Tensor

from signgen.systems.fpdm.pipeline import FPDMPipeline

CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
STEPS = 4  # a divisor of 1000: diffusers' DDIM has the next timestep one off for others
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def pixels(image: Image.Image, size: tuple[int, int], statistics: tuple[tuple[float, ...], ...] | None) -> Tensor:
    """(1, 3, height, width) of an image squashed to `size` (height, width): in [0, 1], or normalised."""
    array = np.asarray(image.resize(size[::-1], Image.Resampling.BICUBIC), np.float32) / 255
    if statistics is not None:
        array = (array - np.float32(statistics[0])) / np.float32(statistics[1])
    return torch.from_numpy(array).permute(2, 0, 1)[None]


def clip_embedding(pipeline: FPDMPipeline, image: Image.Image) -> Tensor:
    encoder = pipeline.fusion.encoder
    side = encoder.config.image_size
    return encoder(pixel_values=pixels(image, (side, side), CLIP)).image_embeds


def fused(pipeline: FPDMPipeline, image: Tensor, pose: Tensor) -> Tensor:
    """The combiner of stage 1: a learned share of either embedding, and a term of both."""
    combiner = pipeline.fusion.combiner
    both = torch.cat([F.relu(combiner.pose_projection(pose)), F.relu(combiner.image_projection(image))], dim=-1)
    hidden = F.relu(both @ combiner.balance[0].weight.T + combiner.balance[0].bias)
    share = torch.sigmoid(hidden @ combiner.balance[3].weight.T + combiner.balance[3].bias)
    result = combiner.output(F.relu(combiner.combination(both))) + share * pose + (1 - share) * image
    return result / result.norm(dim=-1, keepdim=True)


def tokens_of(pipeline: FPDMPipeline, hidden: Tensor) -> Tensor:
    first, _, _, norm, last, _ = pipeline.unet.source_projection
    hidden = F.gelu(first(hidden))
    deviation = (hidden.var(-1, unbiased=False, keepdim=True) + norm.eps).sqrt()
    return last((hidden - hidden.mean(-1, keepdim=True)) / deviation * norm.weight + norm.bias)


def prediction(
    pipeline: FPDMPipeline, latents: Tensor, time: int, tokens: Tensor, pose: Tensor, fusion: Tensor
) -> Tensor:
    """The stock UNet; hooks add the pose to the first features and the fusion embedding to the time embedding."""
    unet = UNet2DConditionModel(**pipeline.unet.config.unet_config).eval()
    unet.load_state_dict(pipeline.unet.unet.state_dict())
    first, _, _, last, _ = pipeline.unet.fusion_projection
    unet.conv_in.register_forward_hook(lambda *call: call[2] + pose)
    unet.time_embedding.register_forward_hook(lambda *call: call[2] + last(F.gelu(first(fusion))))
    return unet(latents, torch.tensor(time), tokens).sample


@torch.no_grad()
def render(
    pipeline: FPDMPipeline, source: Image.Image, pose: Image.Image, latents: Tensor, weights: tuple[float, float]
) -> np.ndarray:
    """An image (H, W, 3) in [0, 1], by DDIM (Song et al. 2021) and three branches of guidance at every step."""
    (height, width), scheduler = pipeline.config.image_size, pipeline.scheduler
    source = source.resize(pipeline.config.source_size[::-1], Image.Resampling.BICUBIC)
    hidden = pipeline.source_encoder(pixel_values=pixels(source, source.size[::-1], IMAGENET)).last_hidden_state
    tokens = tokens_of(pipeline, hidden)
    fusion = fused(pipeline, clip_embedding(pipeline, source), clip_embedding(pipeline, pose))
    drawing = F.pad(pixels(pose, (height, width), None), (0, -width % 8, 0, -height % 8))
    features = pipeline.unet.pose_encoder(drawing)
    zeros = torch.zeros_like(tokens), torch.zeros_like(features), torch.zeros_like(fusion)
    alphas = scheduler.alphas_cumprod
    times = [1000 - 1000 * step // STEPS - 1 for step in range(STEPS)]
    for time, following in zip(times, [*times[1:], None], strict=True):
        null = prediction(pipeline, latents, time, *zeros)
        of_source = prediction(pipeline, latents, time, tokens, features, zeros[2])
        of_all = prediction(pipeline, latents, time, tokens, features, fusion)
        velocity = null + weights[0] * (of_source - null) + weights[1] * (of_all - of_source)
        signal, noise = alphas[time].sqrt(), (1 - alphas[time]).sqrt()
        clean, epsilon = signal * latents - noise * velocity, noise * latents + signal * velocity
        share = torch.tensor(1.0) if following is None else alphas[following]
        latents = share.sqrt() * clean + (1 - share).sqrt() * epsilon
    decoded = F.pixel_shuffle(pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample, 4)
    image = decoded[0, :, :height, :width].permute(1, 2, 0)
    return ((image + 1) / 2).clamp(0, 1).numpy()


@pytest.mark.parametrize("weights", [(2.0, 2.0), (3.0, 1.5)])
def test_a_image_is_that_of_the_plain_reference(tiny_pipeline: FPDMPipeline, weights: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    source, pose = (Image.fromarray(rng.integers(0, 256, (60, 50, 3), dtype=np.uint8)) for _ in range(2))
    latents = torch.randn(1, *tiny_pipeline.noise_shape((52, 42)), generator=torch.Generator().manual_seed(4))
    found = tiny_pipeline(
        source,
        [pose],
        num_inference_steps=STEPS,
        guidance_source=weights[0],
        guidance_fusion=weights[1],
        solver="ddim",
        latents=latents,
    ).frames[0]
    expected = render(tiny_pipeline, source, pose, latents, weights)
    assert expected.std() > 0.01
    assert np.abs(found - expected).max() < 1e-4
