"""FPDM as a pipeline: a source image and pose maps -> images of that signer in these poses."""

from collections.abc import Mapping, Sequence
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
from signgen.models.composition import Composition
from signgen.models.conditions import condition_embedding, fusion_embedding, source_hidden
from signgen.models.first_frame import FirstFrame, MovedFrame
from signgen.models.full_size import composed_at_size
from signgen.models.fusion import ImagePoseFusion
from signgen.models.pixels import resize, to_images, to_pose_maps
from signgen.models.pose_inputs import PoseInputs, pose_inputs
from signgen.models.sizes import SourceEncoder
from signgen.models.source_colours import background
from signgen.models.unet import ConditionalUNet
from signgen.poses import PoseSequence
from signgen.poses.skeletons import COCO_WHOLEBODY
from signgen.sampling.denoiser import Conditions, DeepCache, denoise, guided_denoiser
from signgen.sampling.guidance import Branch
from signgen.sampling.noise import frame_noise
from signgen.sampling.sampler import sample
from signgen.sampling.solvers import solver as make_solver
from signgen.sampling.step_plan import sampling_plan
from signgen.systems.base import SignerPipeline, image_array, output_images
from signgen.systems.fpdm.presets import Preset

STARTS = ("noise", "source", "transport")
LEAST_SIGNAL = 0.01  # of the first step, for a noise prior to be one


@dataclass
class FPDMOutput(BaseOutput):
    """frames: (F, H, W, 3), float in [0, 1] ("np") or uint8 ("uint8"), or a list of images ("pil")."""

    frames: Any


@dataclass
class SourceConditions:
    """What the denoiser needs of a source image, computed once per video.

    context: cross-attention keys and values. embedding: (B, dim), the fusion model's view of the image. latents: the
    image's (B, C, h, w), where sampling starts from them in place of noise. first: the image to be transported,
    where sampling starts from that. canvas: the same image and its background, each (B, 3, H, W) of the size
    that images are made in.
    """

    context: SourceContext
    embedding: Tensor
    latents: Tensor | None = None
    first: FirstFrame | None = None
    canvas: tuple[Tensor, Tensor] | None = None


class FPDMPipeline(SignerPipeline):
    """Fusion-embedding pose-guided diffusion (FPDM, both stages).

    image_size, source_size: (height, width) of the images and of what the source encoder reads. sampling: the
    model's own defaults (steps, solver, guidance_source, guidance_fusion, fit). embedding: what conditions beside pose
    and source tokens, one of `signgen.models.conditions.EMBEDDINGS`. start: what sampling starts from, one of `STARTS`:
    noise, or (for distilled students, which need no noise) the source's latents, so that what stands still is at hand,
    or the source transported to the pose (`signgen.models.transport`), which `composition` then weighs against what was
    generated.
    """

    denoisers: ClassVar[tuple[str, ...]] = ("unet",)
    _optional_components: ClassVar[list[str]] = ["composition"]

    def __init__(
        self,
        vae: AutoencoderKL,
        source_encoder: SourceEncoder,
        fusion: ImagePoseFusion,
        unet: ConditionalUNet,
        scheduler: SchedulerMixin,
        image_size: tuple[int, int] = (512, 512),
        source_size: tuple[int, int] = (512, 512),
        sampling: dict[str, Any] | None = None,
        embedding: str = "fusion",
        start: str = "noise",
        skeleton: str = COCO_WHOLEBODY,
        composition: Composition | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            source_encoder=source_encoder,
            fusion=fusion,
            unet=unet,
            scheduler=scheduler,
            composition=composition,
        )
        self.register_to_config(
            image_size=tuple(image_size),
            source_size=tuple(source_size),
            sampling=sampling or {},
            embedding=embedding,
            start=start,
            skeleton=skeleton,
        )
        for module in (vae, source_encoder, fusion, unet, composition):
            if module is not None:
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
            image_size=sizes.image_size,
            source_size=sizes.source_size,
            sampling=sizes.sampling,
        )

    @torch.no_grad()
    def encode_source(
        self,
        frames: np.ndarray | Tensor,
        poses: PoseInputs | None = None,
        canvas: np.ndarray | None = None,
        size: tuple[int, int] | None = None,
    ) -> SourceConditions:
        """Conditions of source frames (B, H, W, 3) uint8; one frame serves any number of poses.

        poses: their own poses, which a model needs that starts from transport. canvas: `SignerPipeline.encode_source`.
        size: (height, width) of what is to be rendered, the model's own by default.
        """
        frames = self._on_device(frames)
        # Both encoders see the image at the source encoder's size, as published.
        images = resize(frames, self.config.source_size)
        tokens = self.unet.source_tokens(source_hidden(self.source_encoder, images))
        found = SourceConditions(self.unet.source_context(tokens), fusion_embedding(self.fusion, images))
        if self.config.start != "noise":
            image = to_images(resize(frames, size or self.config.image_size))
            if self.config.start == "source":
                found.latents = encode(self.vae, image).float()
            else:
                found.first = self._first_frame(image, poses)
                found.canvas = self._canvas(found.first, canvas)
        return found

    def _first_frame(self, image: Tensor, poses: PoseInputs | None) -> FirstFrame:
        if poses is None or poses.keypoints is None:
            raise UserError("this model moves the first frame: it needs the first frame's own pose, with keypoints")
        size = (image.shape[-2], image.shape[-1])
        pose_map = to_pose_maps(resize(self._on_device(poses.pose_maps), size))
        return FirstFrame.of(image, self._on_device(poses.keypoints), pose_map)

    def _canvas(self, first: FirstFrame, canvas: np.ndarray | None) -> tuple[Tensor, Tensor]:
        """The frame and its background, at the size of the canvas, where there is one."""
        if canvas is None:
            return first.image, first.behind
        image = to_images(self._on_device(canvas))
        return image, background(image, first.covered)

    @torch.no_grad()
    def encode_poses(
        self, source: SourceConditions, pose_maps: np.ndarray | Tensor, size: tuple[int, int]
    ) -> Conditions:
        """Conditions of pose maps (B, h, w, 3) uint8 for images of `size` (height, width)."""
        pose_maps = self._on_device(pose_maps)
        features = self.unet.pose_features(to_pose_maps(resize(pose_maps, size)))
        embedding = source.embedding.expand(len(pose_maps), -1)
        fused = condition_embedding(self.config.embedding, self.fusion, embedding, pose_maps)
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
        """Images (B, 3, *size) in about [-1, 1] of the latents that `generate_latents` makes with these options; of a
        model that starts from transport composed with the transported source, as large as the source's canvas."""
        moved = None if source.first is None else source.first.moved_to(self._keypoints(poses))
        latents = self.generate_latents(source, poses, latents, size=size, moved=moved, **options)
        generated = decode(self.vae, latents, *size).float()
        if source.first is None or moved is None or source.canvas is None:
            return generated
        pose_map = to_pose_maps(resize(self._on_device(poses.pose_maps), size))
        made = self.composition(generated, moved, pose_map, source.first.pose_map)
        image, behind = source.canvas
        if image is source.first.image:
            return made.over(moved.layers)
        return composed_at_size(made, moved.transport, image, behind)

    def _keypoints(self, poses: PoseInputs) -> Tensor:
        if poses.keypoints is None:
            raise UserError("this model moves the first frame: it needs the poses' keypoints beside their pose maps")
        return self._on_device(poses.keypoints)

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
        moved: MovedFrame | None = None,
    ) -> Tensor:
        """Latents (B, C, h, w) for poses and initial noise (B, C, h, w), which a model that starts from the source
        does not look at: its source must have been encoded for `size`. guidance_steps, deep_cache: shortcuts,
        `signgen.sampling.step_plan`. moved: the source transported to the poses, for a model that starts from it."""
        conditions = self.encode_poses(source, poses.pose_maps, size)
        if source.latents is not None:
            latents = source.latents.expand_as(latents)
        if moved is not None:
            latents, conditions.known = moved.start(self.vae), moved.known(self.vae)
        plan = sampling_plan(steps, guidance_source, guidance_fusion, guidance_steps, deep_cache)
        denoiser = guided_denoiser(self.unet, conditions, plan, one_by_one=self.one_by_one)
        return sample(denoiser, make_solver(solver, self.scheduler), latents.to(self.device), steps, generators)

    @torch.no_grad()
    def noised_source(self, frame: np.ndarray, noise: Tensor, sampling: dict[str, Any]) -> Tensor:
        """The source's latents, noised as the solver's first step expects: initial noise (1, C, h, w).

        Published schedules leave a share of the signal at the first step (9 % at t = 951), where sampling from pure
        noise has none: here it is the source's. Raises UserError for a model that starts from pure noise.
        """
        if self.config.start != "noise":
            raise UserError("this model starts from the source itself: there is no noise for a noise prior")
        chosen = make_solver(sampling["solver"], self.scheduler)
        chosen.set_timesteps(sampling["steps"])
        first = chosen.timesteps[:1].long()
        if self.scheduler.alphas_cumprod[first].sqrt() < LEAST_SIGNAL:
            raise UserError("this model starts from pure noise, in which nothing of the source is left: no noise prior")
        latents = encode(self.vae, to_images(self._on_device(frame[None]))).float()
        return self.scheduler.add_noise(latents, noise.to(latents.device), first.to(latents.device))

    def noise_shape(self, size: tuple[int, int]) -> tuple[int, int, int]:
        """(C, h, w) of the latents of an image of `size` (height, width)."""
        return (self.unet.latent_channels, *latent_size(self.vae, *size))

    @classmethod
    def needs_source_pose(cls, settings: Mapping[str, Any]) -> bool:
        """Models that start from transport move the first frame from its own pose."""
        return settings.get("start") == "transport"

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
        source_keypoints: np.ndarray | None = None,
        keypoints: np.ndarray | None = None,
    ) -> FPDMOutput:
        """Images of the signer of `source_image` in the poses of `pose_images` (pose maps).

        height, width: of the images, the model's own by default. guidance_scale: both guidance weights at once.
        latents: initial noise (1 or F, C, h, w), of a model that starts from noise; without it all frames start from
        one noise made from `seed`, so that frames differ by their poses alone. generator: of a stochastic solver's
        noise; without it each frame has its own, made from `seed` and its number. output_type: "np", "uint8" or "pil".
        source_keypoints, keypoints: whole-body keypoints (133, 3) of the source and (F, 133, 3) of the poses, in
        pixels of the images, for a model that starts from transport.
        """
        if not pose_images:
            raise UserError("no pose images: nothing to render")
        size = (height or self.config.image_size[0], width or self.config.image_size[1])
        options = self.sampling_options(
            steps=num_inference_steps,
            solver=solver,
            guidance_source=guidance_scale if guidance_source is None else guidance_source,
            guidance_fusion=guidance_scale if guidance_fusion is None else guidance_fusion,
        )
        own = None
        if source_keypoints is not None:
            poses = PoseSequence(
                np.asarray(source_keypoints, np.float32)[None], (size[1], size[0]), 1.0, COCO_WHOLEBODY
            )
            own = pose_inputs(poses, size)
        source = self.encode_source(image_array(source_image)[None], own, size=size)
        images = []
        for start in range(0, len(pose_images), batch_size):
            pose_maps = np.stack([image_array(image) for image in pose_images[start : start + batch_size]])
            noise, generators = frame_noise(self.noise_shape(size), seed, range(start, start + len(pose_maps)))
            if latents is not None:
                noise = latents if len(latents) == 1 else latents[start : start + batch_size]
            images.append(
                self.generate(
                    source,
                    PoseInputs(
                        pose_maps, keypoints=None if keypoints is None else keypoints[start : start + batch_size]
                    ),
                    noise.expand(len(pose_maps), -1, -1, -1),
                    size=size,
                    generators=generator or generators,
                    **options,
                )
            )
        return FPDMOutput(frames=output_images(torch.cat(images), output_type))
