"""PCDMs as a pipeline: a source image, its pose and other poses -> images of that signer in these poses.

Three stages: the prior finds the target image's embedding, inpainting makes a coarse image beside the source, and
refining makes the image from the coarse one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import AutoencoderKL, SchedulerMixin
from diffusers.utils import BaseOutput
from PIL import Image
from torch import Tensor
from transformers import CLIPVisionModelWithProjection, Dinov2Model

from signgen.errors import UserError
from signgen.models.attention import SourceContext
from signgen.models.autoencoder import decode, downscale, encode, latent_size
from signgen.models.conditions import image_embedding, source_hidden
from signgen.models.pixels import CLIP_STATISTICS, resize, to_frames, to_images
from signgen.models.pose_inputs import PoseInputs
from signgen.models.prior import PosePrior
from signgen.models.unet import ConditionalUNet
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.sampling.denoiser import Conditions, guided_denoiser
from signgen.sampling.noise import frame_noise
from signgen.sampling.sampler import sample
from signgen.sampling.solvers import solver as make_solver
from signgen.sampling.step_plan import Step, sampling_plan
from signgen.systems.base import SignerPipeline, image_array, output_images
from signgen.systems.pcdm.canvas import canvas_pose_maps, decode_target, known_part
from signgen.systems.pcdm.presets import PCDMPreset
from signgen.video.image_arrays import write_png


@dataclass
class PCDMOutput(BaseOutput):
    """frames, coarse: (F, H, W, 3), float in [0, 1] ("np") or uint8 ("uint8"), or lists of images ("pil"), after
    refining and before it. embedding: (F, dim), as the prior has found them."""

    frames: Any
    coarse: Any
    embedding: np.ndarray


@dataclass
class SourceConditions:
    """What the denoisers need of a source image, computed once per video.

    inpaint, refine: cross-attention keys and values. embedding: (B, dim). known: the inpainting canvas's known part,
    (B, 1 + C, h, 2 w). pose_maps, points: the source's own pose, drawn as large as the image, uint8 (B, H, W, 3), and
    as points (B, 18, 2).
    """

    inpaint: SourceContext
    refine: SourceContext | None
    embedding: Tensor
    known: Tensor
    pose_maps: Tensor
    points: Tensor


@dataclass
class Stages:
    """What the stages made. embedding: (B, dim). coarse, refined: images (B, 3, H, W) in about [-1, 1]; refined is None
    where the model has no third stage."""

    embedding: Tensor
    coarse: Tensor
    refined: Tensor | None

    @property
    def images(self) -> Tensor:
        """The last stage's."""
        return self.coarse if self.refined is None else self.refined


class StageFolder:
    """Writes what the stages make of a video into a folder, frame by frame: NNNNNN.npy, the embedding, and NNNNNN.png,
    the coarse image, from 0. For `PCDMPipeline.keep`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.count = folder, 0

    def __call__(self, stages: Stages) -> None:
        images = to_frames(stages.coarse).cpu().numpy()
        for embedding, image in zip(stages.embedding.cpu().numpy(), images, strict=True):
            np.save(self.folder / f"{self.count:06}.npy", embedding)
            write_png(self.folder / f"{self.count:06}.png", image)
            self.count += 1


class PCDMPipeline(SignerPipeline):
    """Progressive conditional diffusion models (PCDMs, three stages).

    image_size, source_size: (height, width) of the images and of what the source encoder reads. sampling: the
    model's own defaults (steps, solver, guidance, prior_steps, fit). A part may be left out: published checkpoints hold
    the three denoisers `prior`, `inpaint` and `refine` alone, and without `refine` the coarse images are the result.

    keep: called with what the stages made of every batch, if set.
    """

    denoisers: ClassVar[tuple[str, ...]] = ("prior", "inpaint", "refine")
    _optional_components: ClassVar[list[str]] = [
        *("vae", "source_encoder", "image_encoder", "prior", "inpaint", "refine")
    ]

    @classmethod
    def needs_source_pose(cls, settings: Mapping[str, Any]) -> bool:
        """Always: the source's pose is drawn on the canvas."""
        return True

    def __init__(
        self,
        vae: AutoencoderKL | None,
        source_encoder: Dinov2Model | None,
        image_encoder: CLIPVisionModelWithProjection | None,
        prior: PosePrior | None,
        inpaint: ConditionalUNet | None,
        refine: ConditionalUNet | None,
        scheduler: SchedulerMixin,
        prior_scheduler: SchedulerMixin,
        image_size: tuple[int, int] = (512, 512),
        source_size: tuple[int, int] = (224, 224),
        sampling: dict[str, Any] | None = None,
        skeleton: str = COCO_WHOLEBODY,
    ) -> None:
        super().__init__()
        networks = {
            "vae": vae,
            "source_encoder": source_encoder,
            "image_encoder": image_encoder,
            "prior": prior,
            "inpaint": inpaint,
            "refine": refine,
        }
        self.register_modules(**networks, scheduler=scheduler, prior_scheduler=prior_scheduler)
        self.register_to_config(
            image_size=tuple(image_size),
            source_size=tuple(source_size),
            sampling=sampling or {},
            skeleton=skeleton,
        )
        self.keep: Callable[[Stages], None] | None = None
        for network in networks.values():
            if network is not None:
                network.eval()

    @classmethod
    def from_preset(cls, sizes: PCDMPreset) -> "PCDMPipeline":
        """A pipeline of that size with random weights."""
        return cls(
            vae=sizes.build_autoencoder(),
            source_encoder=sizes.build_source_encoder(),
            image_encoder=sizes.build_image_encoder(),
            prior=sizes.build_prior(),
            inpaint=sizes.build_inpaint(),
            refine=sizes.build_refine(),
            scheduler=sizes.build_scheduler(),
            prior_scheduler=sizes.build_prior_scheduler(),
            image_size=sizes.image_size,
            source_size=sizes.source_size,
            sampling=sizes.sampling,
        )

    def check_parts(self) -> None:
        """UserError where a part that rendering needs is left out."""
        parts = ("vae", "source_encoder", "image_encoder", "prior", "inpaint")
        if missing := [part for part in parts if getattr(self, part) is None]:
            raise UserError(f"the model lacks {', '.join(missing)}: it cannot render")

    @torch.no_grad()
    def encode_source(
        self, frames: np.ndarray | Tensor, poses: PoseInputs | None = None, canvas: np.ndarray | None = None
    ) -> SourceConditions:
        """Conditions of source frames (B, H, W, 3) uint8, as large as the images to be made, in their own poses."""
        self.check_parts()
        if poses is None or poses.points is None:
            raise UserError("PCDMs need the source's own pose, drawn and as points")
        sources = self._on_device(frames)
        hidden = source_hidden(self.source_encoder, resize(sources, self.config.source_size), CLIP_STATISTICS)
        size = (sources.shape[1], sources.shape[2])
        return SourceConditions(
            inpaint=self.inpaint.source_context(self.inpaint.source_tokens(hidden)),
            refine=None if self.refine is None else self.refine.source_context(self.refine.source_tokens(hidden)),
            embedding=image_embedding(self.image_encoder, sources),
            known=known_part(self.vae, to_images(sources)),
            pose_maps=resize(self._on_device(poses.pose_maps), size),
            points=self._on_device(poses.points),
        )

    @torch.no_grad()
    def predict_embedding(
        self,
        source: SourceConditions,
        poses: PoseInputs,
        noise: Tensor,
        *,
        steps: int,
        solver: str,
        generators: list[torch.Generator] | torch.Generator | None = None,
    ) -> Tensor:
        """Stage 1: embeddings (B, dim) of the images in these poses, from noise (B, dim)."""
        if poses.points is None:
            raise UserError("PCDMs need the poses' points beside their pose maps")
        rows = len(noise)
        tokens = self.prior.pose_tokens(source.points.expand(rows, -1, -1), self._on_device(poses.points))
        embedding = source.embedding.expand(rows, -1)

        def denoiser(noisy: Tensor, timestep: Tensor) -> Tensor:
            return self.prior(noisy, timestep, embedding, tokens).float()

        scheduler = make_solver(solver, self.prior_scheduler)
        return self.prior.restored(sample(denoiser, scheduler, noise.to(self.device), steps, generators))

    def inpaint_conditions(self, source: SourceConditions, pose_maps: Tensor, embedding: Tensor) -> Conditions:
        """Stage 2's conditions of pose maps (B, H, W, 3) uint8 and the target images' embeddings (B, dim)."""
        token = self.inpaint.source_context(embedding[:, None].to(self.inpaint.dtype))
        canvas = canvas_pose_maps(source.pose_maps, pose_maps, downscale(self.vae))
        return Conditions(
            # The source's keys and values are the video's; those of the embedding, one token, are the frames' own.
            context=source.inpaint.with_tokens(token),
            pose_features=self.inpaint.pose_features(canvas),
            fusion=embedding,
            known=source.known.expand(len(pose_maps), -1, -1, -1),
            null_pose=True,
        )

    def _sampled(
        self,
        unet: ConditionalUNet,
        conditions: Conditions,
        noise: Tensor,
        plan: list[Step],
        solver: str,
        generators: list[torch.Generator] | torch.Generator | None,
    ) -> Tensor:
        denoiser = guided_denoiser(unet, conditions, plan, one_by_one=self.one_by_one)
        return sample(denoiser, make_solver(solver, self.scheduler), noise, len(plan), generators)

    @torch.no_grad()
    def stages(
        self,
        source: SourceConditions,
        poses: PoseInputs,
        noise: Tensor,
        *,
        size: tuple[int, int],
        steps: int,
        solver: str,
        guidance: float,
        prior_steps: int,
        guidance_steps: tuple[int | None, int | None] = (None, None),
        deep_cache: int = 1,
        generators: list[torch.Generator] | torch.Generator | None = None,
    ) -> Stages:
        """Every stage's output for B poses and initial noise (B, N), all stages' in a row. guidance_steps, deep_cache:
        shortcuts of the last two, `signgen.sampling.step_plan`."""
        grid = latent_size(self.vae, *size)
        if source.known.shape[-2:] != (grid[0], 2 * grid[1]):
            raise ValueError(f"the source was encoded at another size than {size}")
        counts, shapes = self._noise_counts(size), self._latent_shapes(size)
        first, *others = noise.to(self.device).split(counts, dim=1)
        second, third = (part.unflatten(1, shape) for part, shape in zip(others, shapes, strict=True))
        embedding = self.predict_embedding(
            source, poses, first, steps=prior_steps, solver=solver, generators=generators
        )
        plan = sampling_plan(steps, guidance, guidance, guidance_steps, deep_cache)
        pose_maps = resize(self._on_device(poses.pose_maps), size)
        conditions = self.inpaint_conditions(source, pose_maps, embedding)
        latents = self._sampled(self.inpaint, conditions, second, plan, solver, generators)
        coarse = decode_target(self.vae, latents, *size).float()
        if source.refine is None:
            return Stages(embedding, coarse, None)
        # Rounded as a stored image is: stage 3 is trained on stored images.
        known = encode(self.vae, to_images(to_frames(coarse)))
        conditions = Conditions(source.refine, known=known)
        latents = self._sampled(self.refine, conditions, third, plan, solver, generators)
        return Stages(embedding, coarse, decode(self.vae, latents, *size).float())

    def generate(self, source: SourceConditions, poses: PoseInputs, noise: Tensor, **options: Any) -> Tensor:
        """Images (B, 3, *size) in about [-1, 1]: the last of `stages`, which has the same arguments."""
        stages = self.stages(source, poses, noise, **options)
        if self.keep is not None:
            self.keep(stages)
        return stages.images

    def noise_shape(self, size: tuple[int, int]) -> tuple[int]:
        """(N,): the noise of all stages in a row."""
        return (sum(self._noise_counts(size)),)

    def _latent_shapes(self, size: tuple[int, int]) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """(C, h, w) of stage 2's canvas and of stage 3's image."""
        (height, width), channels = latent_size(self.vae, *size), self.inpaint.latent_channels
        return (channels, height, 2 * width), (channels, height, width)

    def _noise_counts(self, size: tuple[int, int]) -> list[int]:
        return [self.prior.config.embedding_dim, *(int(np.prod(shape)) for shape in self._latent_shapes(size))]

    def sampling_options(
        self, *, guidance_source: float | None = None, guidance_fusion: float | None = None, **given: Any
    ) -> dict[str, Any]:
        """Steps, solver, guidance and the prior's steps: what is given, else the model's own defaults.

        PCDMs have one guidance weight: guidance_source and guidance_fusion, if both are given, must be equal.
        """
        weights = {weight for weight in (guidance_source, guidance_fusion) if weight is not None}
        if len(weights) > 1:
            raise UserError("PCDMs have one guidance weight, here are two")
        defaults = {key: value for key, value in self.config.sampling.items() if key != "fit"}
        chosen = {key: value for key, value in given.items() if value is not None}
        return defaults | chosen | ({"guidance": weights.pop()} if weights else {})

    def __call__(
        self,
        source_image: Image.Image,
        source_pose: PoseInputs,
        poses: PoseInputs,
        num_inference_steps: int | None = None,
        prior_steps: int | None = None,
        guidance_scale: float | None = None,
        solver: str | None = None,
        seed: int = 0,
        batch_size: int = 8,
        output_type: str = "np",
    ) -> PCDMOutput:
        """Images of the signer of `source_image`, who is there in `source_pose`, in `poses`.

        All frames start from one noise made from `seed`, so that they differ by their poses alone. output_type: "np",
        "uint8" or "pil".
        """
        if not len(poses):
            raise UserError("no poses: nothing to render")
        self.check_parts()
        size = tuple(self.config.image_size)
        options = self.sampling_options(
            steps=num_inference_steps, prior_steps=prior_steps, solver=solver, guidance=guidance_scale
        )
        frame = resize(torch.from_numpy(image_array(source_image))[None], size)
        source = self.encode_source(frame, source_pose)
        made = []
        for start in range(0, len(poses), batch_size):
            batch = poses[start : start + batch_size]
            noise, generators = frame_noise(self.noise_shape(size), seed, range(start, start + len(batch)))
            noise = noise.expand(len(batch), -1)
            made.append(self.stages(source, batch, noise, size=size, generators=generators, **options))
        return PCDMOutput(
            frames=output_images(torch.cat([stages.images for stages in made]), output_type),
            coarse=output_images(torch.cat([stages.coarse for stages in made]), output_type),
            embedding=torch.cat([stages.embedding for stages in made]).cpu().numpy(),
        )
