"""How much arithmetic FPDM takes to render a video."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

import torch

from signgen.models.autoencoder import decode, encode
from signgen.models.conditions import fusion_embedding, source_hidden
from signgen.models.pixels import to_images, to_pose_maps
from signgen.models.pose_inputs import PoseInputs
from signgen.models.unet import DeepFeatures
from signgen.runtime.flops import count_flops
from signgen.sampling.denoiser import DeepCache
from signgen.sampling.step_plan import Step, sampling_plan
from signgen.systems.fpdm.pipeline import FPDMPipeline


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


def pipeline_flops(pipeline: FPDMPipeline, **options: Any) -> PipelineFlops:
    """What rendering takes, of a pipeline on the meta device (`FPDMPipeline.without_weights`): shapes suffice.

    options: sampling options in place of the model's own.
    """
    sampling, size = pipeline.sampling_options(**options), tuple(pipeline.config.image_size)
    source_pixels = torch.empty((1, *pipeline.config.source_size, 3), dtype=torch.uint8, device="meta")
    pose_maps = torch.empty((1, *size, 3), dtype=torch.uint8, device="meta")
    latents = torch.empty((1, *pipeline.noise_shape(size)), device="meta")
    keypoints = torch.empty((1, 133, 3), device="meta")
    poses = PoseInputs(pose_maps, keypoints=keypoints)
    source = pipeline.encode_source(source_pixels, poses)
    conditions = pipeline.encode_poses(source, pose_maps, size)
    moved = None if source.first is None else source.first.moved_to(keypoints)
    if moved is not None:
        conditions.known = moved.known(pipeline.vae)
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
    embedding = count_flops(lambda: fusion_embedding(pipeline.fusion, pose_maps))
    decoding = count_flops(lambda: decode(pipeline.vae, latents, *size))
    from_source = pipeline.config.start == "source"
    encoding = count_flops(lambda: encode(pipeline.vae, to_images(pose_maps))) if from_source else 0.0
    given = latents if conditions.known is None else torch.cat([latents, conditions.known], 1)
    call = count_flops(lambda: unet(given, timestep, source.context, conditions.pose_features, conditions.fusion))
    images = torch.empty((1, 3, *size), device="meta")
    composing = 0.0
    if moved is not None and source.first is not None:
        maps = to_pose_maps(pose_maps), source.first.pose_map
        composing = count_flops(lambda: pipeline.composition(images, moved, *maps))
    return PipelineFlops(
        parts={"source_encoder": encoder, "fusion": embedding, "unet": keys + call, "vae": decoding},
        video={
            "source_encoder": encoder,
            "fusion": embedding,
            "unet": count_flops(lambda: unet.source_tokens(hidden)) + keys,
            "vae": encoding,
        },
        frame={
            "poses": count_flops(lambda: pipeline.encode_poses(source, pose_maps, size)),
            "unet": sum(count * step_flops(step) for step, count in Counter(plan).items()),
            "vae": decoding,
            "composition": composing,
        },
    )
