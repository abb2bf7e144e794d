"""FPDM as a pipeline: a source picture and pose drawings -> pictures of that signer in these poses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import AutoencoderKL, SchedulerMixin
from diffusers.utils import BaseOutput
from PIL import Image
from torch import Tensor

from signgen.errors import UserError
from signgen.models.attention import SourceContext
from signgen.models.autoencoder import decode, encode, latent_size
from signgen.models.conditions import condition_embedding, fusion_embedding, source_hidden
from signgen.models.fusion import ImagePoseFusion
from signgen.models.pixels import resize, to_drawings, to_images
from signgen.models.pose_inputs import PoseInputs
from signgen.models.sizes import SourceEncoder
from signgen.models.unet import ConditionalUNet
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.sampling.denoiser import Conditions, DeepCache, denoise, guided_denoiser
from signgen.sampling.guidance import Branch
from signgen.sampling.noise import frame_noise
from signgen.sampling.sampler import sample
from signgen.sampling.solvers import solver as make_solver
from signgen.sampling.step_plan import sampling_plan
from signgen.systems.base import SignerPipeline, picture_array, pictures
from signgen.systems.fpdm.presets import Preset

STARTS = ("noise", "source")
LEAST_SIGNAL = 0.01  # of the first step, for a noise prior to be one


@dataclass
class FPDMOutput(BaseOutput):
    """frames: (F, H, W, 3), float in [0, 1] ("np") or uint8 ("uint8"), or a list of pictures ("pil")."""

    frames: Any


@dataclass
class SourceConditions:
    """What the denoiser needs of a source picture, computed once per video.

    context: cross-attention keys and values. embedding: (B, dim), the fusion model's view of the picture. latents: the
    picture's (B, C, h, w), where sampling starts from them in place of noise.
    """

    context: SourceContext
    embedding: Tensor
    latents: Tensor | None = None


class FPDMPipeline(SignerPipeline):
    """Fusion-embedding pose-guided diffusion (FPDM, both stages).

    picture_size, source_size: (height, width) of the pictures and of what the source encoder reads. sampling: the
    model's own defaults (steps, solver, guidance_source, guidance_fusion, fit). embedding: what conditions beside pose
    and source tokens, one of `signgen.models.conditions.EMBEDDINGS`. start: what sampling starts from, one of `STARTS`:
    noise, or (for distilled students, which need no noise) the source's latents, so that what stands still is at hand.
    """

    denoisers: ClassVar[tuple[str, ...]] = ("unet",)

    def __init__(
        self,
        vae: AutoencoderKL,
        source_encoder: SourceEncoder,
        fusion: ImagePoseFusion,
        unet: ConditionalUNet,
        scheduler: SchedulerMixin,
        picture_size: tuple[int, int] = (512, 512),
        source_size: tuple[int, int] = (512, 512),
        sampling: dict[str, Any] | None = None,
        embedding: str = "fusion",
        start: str = "noise",
        skeleton: str = COCO_WHOLEBODY,
    ) -> None:
        super().__init__()
        self.register_modules(vae=vae, source_encoder=source_encoder, fusion=fusion, unet=unet, scheduler=scheduler)
        self.register_to_config(
            picture_size=tuple(picture_size),
            source_size=tuple(source_size),
            sampling=sampling or {},
            embedding=embedding,
            start=start,
            skeleton=skeleton,
        )
        for module in (vae, source_encoder, fusion, unet):
            module.eval()

    @classmethod
    def from_preset(cls, sizes: Preset) -> "FPDMPipeline":
        """A pipeline of that size with random weights."""
        return cls(
            vae=sizes.build_autoencoder(),
            source_encoder=sizes.build_source_encoder(),
            fusion=sizes.build_fusion(),
            unet=sizes.build_unet(),
            scheduler=sizes.build_scheduler(),
            picture_size=sizes.picture_size,
            source_size=sizes.source_size,
            sampling=sizes.sampling,
        )

    @torch.no_grad()
    def encode_source(
        self, frames: np.ndarray | Tensor, poses: PoseInputs | None = None, size: tuple[int, int] | None = None
    ) -> SourceConditions:
        """Conditions of source frames (B, H, W, 3) uint8; one frame serves any number of poses. Their own poses are
        not looked at. size: (height, width) of what is to be rendered, the model's own by default."""
        frames = self._on_device(frames)
        # Both encoders see the picture at the source encoder's size, as published.
        pictures = resize(frames, self.config.source_size)
        tokens = self.unet.source_tokens(source_hidden(self.source_encoder, pictures))
        latents = None
        if self.config.start == "source":
            latents = encode(self.vae, to_images(resize(frames, size or self.config.picture_size))).float()
        return SourceConditions(self.unet.source_context(tokens), fusion_embedding(self.fusion, pictures), latents)

    @torch.no_grad()
    def encode_poses(
        self, source: SourceConditions, drawings: np.ndarray | Tensor, size: tuple[int, int]
    ) -> Conditions:
        """Conditions of pose drawings (B, h, w, 3) uint8 for pictures of `size` (height, width)."""
        drawings = self._on_device(drawings)
        features = self.unet.pose_features(to_drawings(resize(drawings, size)))
        embedding = source.embedding.expand(len(drawings), -1)
        fused = condition_embedding(self.config.embedding, self.fusion, embedding, drawings)
        return Conditions(source.context, features, fused)

    @torch.no_grad()
    def denoise(
        self,
        conditions: Conditions,
        branches: Sequence[Branch],
        latents: Tensor,
        timestep: Tensor,
        deep: DeepCache | None = None,
    ) -> Tensor:
        """The guided prediction for latents (B, C, h, w)."""
        return denoise(self.unet, conditions, branches, latents, timestep, deep=deep, one_by_one=self.one_by_one)

    @torch.no_grad()
    def generate(
        self,
        source: SourceConditions,
        poses: PoseInputs,
        latents: Tensor,
        *,
        size: tuple[int, int],
        **options: Any,
    ) -> Tensor:
        """Images (B, 3, *size) in about [-1, 1] of the latents that `generate_latents` makes with these options."""
        latents = self.generate_latents(source, poses, latents, size=size, **options)
        return decode(self.vae, latents, *size).float()

    @torch.no_grad()
    def generate_latents(
        self,
        source: SourceConditions,
        poses: PoseInputs,
        latents: Tensor,
        *,
        size: tuple[int, int],
        steps: int,
        solver: str,
        guidance_source: float,
        guidance_fusion: float,
        guidance_steps: tuple[int | None, int | None] = (None, None),
        deep_cache: int = 1,
        generators: list[torch.Generator] | torch.Generator | None = None,
    ) -> Tensor:
        """Latents (B, C, h, w) for poses and initial noise (B, C, h, w), which a model that starts from the source
        does not look at: its source must have been encoded for `size`. guidance_steps, deep_cache: shortcuts,
        `signgen.sampling.step_plan`."""
        if source.latents is not None:
            latents = source.latents.expand_as(latents)
        conditions = self.encode_poses(source, poses.drawings, size)
        plan = sampling_plan(steps, guidance_source, guidance_fusion, guidance_steps, deep_cache)
        denoiser = guided_denoiser(self.unet, conditions, plan, one_by_one=self.one_by_one)
        return sample(denoiser, make_solver(solver, self.scheduler), latents.to(self.device), steps, generators)

    @torch.no_grad()
    def noised_source(self, frame: np.ndarray, noise: Tensor, sampling: dict[str, Any]) -> Tensor:
        """The source's latents, noised as the solver's first step expects: initial noise (1, C, h, w).

        Published schedules leave a share of the signal at the first step (9 % at t = 951), where sampling from pure
        noise has none: here it is the source's. Raises UserError for a model that starts from pure noise.
        """
        if self.config.start == "source":
            raise UserError("this model starts from the source itself: there is no noise for a noise prior")
        chosen = make_solver(sampling["solver"], self.scheduler)
        chosen.set_timesteps(sampling["steps"])
        first = chosen.timesteps[:1].long()
        if self.scheduler.alphas_cumprod[first].sqrt() < LEAST_SIGNAL:
            raise UserError("this model starts from pure noise, in which nothing of the source is left: no noise prior")
        latents = encode(self.vae, to_images(self._on_device(frame[None]))).float()
        return self.scheduler.add_noise(latents, noise.to(latents.device), first.to(latents.device))

    def noise_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """(C, h, w) of the latents of a picture of `size` (height, width)."""
        return (self.unet.latent_channels, *latent_size(self.vae, *size))

    def sampling_options(self, **given: Any) -> dict[str, Any]:
        """Steps, solver and guidance weights: what is given, else the model's own defaults."""
        defaults = {key: value for key, value in self.config.sampling.items() if key != "fit"}
        return defaults | {key: value for key, value in given.items() if value is not None}

    def __call__(
        self,
        source_image: Image.Image,
        pose_images: list[Image.Image],
        height: int | None = None,
        width: int | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        guidance_source: float | None = None,
        guidance_fusion: float | None = None,
        solver: str | None = None,
        latents: Tensor | None = None,
        generator: torch.Generator | None = None,
        seed: int = 0,
        batch_size: int = 8,
        output_type: str = "np",
    ) -> FPDMOutput:
        """Pictures of the signer of `source_image` in the poses of `pose_images` (drawings).

        height, width: of the pictures, the model's own by default. guidance_scale: both guidance weights at once.
        latents: initial noise (1 or F, C, h, w), of a model that starts from noise; without it all frames start from
        one noise made from `seed`, so that frames differ by their poses alone. generator: of a stochastic solver's
        noise; without it each frame has its own, made from `seed` and its number. output_type: "np", "uint8" or "pil".
        """
        if not pose_images:
            raise UserError("no pose images: nothing to render")
        size = (height or self.config.picture_size[0], width or self.config.picture_size[1])
        options = self.sampling_options(
            steps=num_inference_steps,
            solver=solver,
            guidance_source=guidance_scale if guidance_source is None else guidance_source,
            guidance_fusion=guidance_scale if guidance_fusion is None else guidance_fusion,
        )
        source = self.encode_source(picture_array(source_image)[None], size=size)
        images = []
        for start in range(0, len(pose_images), batch_size):
            drawings = np.stack([picture_array(image) for image in pose_images[start : start + batch_size]])
            noise, generators = frame_noise(self.noise_shape(size), seed, range(start, start + len(drawings)))
            if latents is not None:
                noise = latents if len(latents) == 1 else latents[start : start + batch_size]
            images.append(
                self.generate(
                    source,
                    PoseInputs(drawings),
                    noise.expand(len(drawings), -1, -1, -1),
                    size=size,
                    generators=generator or generators,
                    **options,
                )
            )
        return FPDMOutput(frames=pictures(torch.cat(images), output_type))
