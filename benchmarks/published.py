"""FPDM's published sampling procedure on any FPDM model, re-created to be compared with: nothing is shared or cut.

For every frame the source is encoded anew; three branches are run at every step, the keys and values of the source's
tokens computed anew in each; the solver is DDPM's ancestral one, with fresh noise at every step and another initial
noise for every frame of a batch. Batches are of ten, the generator is seeded anew for each.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.models.autoencoder import decode
from signgen.models.conditions import condition_embedding, fusion_embedding, source_hidden
from signgen.models.pixels import resize, to_frames, to_pose_maps
from signgen.models.pose_inputs import pose_inputs
from signgen.poses import PoseSequence
from signgen.rendering.framing import frame_image, poses_on_image
from signgen.sampling.sampler import sample
from signgen.sampling.solvers import solver
from signgen.systems.fpdm.pipeline import FPDMPipeline

BATCH, STEPS, GUIDANCE, SEED = 10, 20, 2.0, 7


@torch.no_grad()
def published(
    pipeline: FPDMPipeline, frame: np.ndarray, poses: PoseSequence, steps: int = STEPS, batch: int = BATCH
) -> Iterator[np.ndarray]:
    """Frames uint8 (H, W, 3) for a first frame and poses, framed as signgen frames them.

    Raises UserError for a model that moves the first frame: the published procedure knows of no transport.
    """
    if pipeline.config.start == "transport":
        raise UserError("the published procedure knows of no transport: give a model that starts from noise")
    size = tuple(pipeline.config.image_size)
    placed = poses_on_image(poses, width=frame.shape[1], height=frame.shape[0])
    framing = frame_image(frame, placed, size, pipeline.config.sampling.get("fit", "squash"))
    poses, source = framing.poses_to_model(placed), torch.tensor(framing.to_model(frame))
    for start in range(0, len(poses), batch):
        pose_maps = torch.tensor(pose_inputs(poses[start : start + batch], size).pose_maps)
        for generated in to_frames(batch_of(pipeline, source, pose_maps, size, steps)).cpu().numpy():
            yield framing.to_image(frame, generated)


def batch_of(
    pipeline: FPDMPipeline, source: Tensor, pose_maps: Tensor, size: tuple[int, int], steps: int = STEPS
) -> Tensor:
    """Images (B, 3, *size) for a source frame (H, W, 3) and pose maps (B, h, w, 3), both uint8."""
    unet, rows = pipeline.unet, len(pose_maps)
    sources = resize(source.expand(rows, -1, -1, -1), pipeline.config.source_size).to(pipeline.device)
    pose_maps = pose_maps.to(pipeline.device)
    tokens = unet.source_tokens(source_hidden(pipeline.source_encoder, sources))
    fused = condition_embedding(
        pipeline.config.embedding, pipeline.fusion, fusion_embedding(pipeline.fusion, sources), pose_maps
    )
    features = unet.pose_features(to_pose_maps(resize(pose_maps, size)))
    conditions = {
        "tokens": torch.cat([torch.zeros_like(tokens), tokens, tokens]),
        "features": torch.cat([torch.zeros_like(features), features, features]),
        "fused": torch.cat([torch.zeros_like(fused), torch.zeros_like(fused), fused]),
    }

    def denoiser(latents: Tensor, timestep: Tensor) -> Tensor:
        null, with_source, with_both = (
            unet(
                latents.repeat(3, 1, 1, 1).to(unet.dtype),
                timestep,
                unet.source_context(conditions["tokens"]),
                conditions["features"],
                conditions["fused"],
            )
            .float()
            .chunk(3)
        )
        return null + GUIDANCE * (with_source - null) + GUIDANCE * (with_both - with_source)

    generator = torch.Generator().manual_seed(SEED)
    noise = torch.randn((rows, *pipeline.noise_shape(size)), generator=generator).to(pipeline.device)
    latents = sample(denoiser, solver("ddpm", pipeline.scheduler), noise, steps, generator)
    return decode(pipeline.vae, latents, *size).float()
