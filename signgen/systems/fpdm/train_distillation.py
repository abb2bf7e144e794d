"""Distilling a trained FPDM to a student that needs 1 to 4 steps and no guidance.

The student is trained as it will be used: it runs its own few steps of deterministic DDIM from pure noise, or from the
source's latents in its place, each on what the one before made of it, and every step's estimate of the clean latents is
pulled towards what the teacher reaches with guidance and many steps from the same noise, towards the real latents of
the target, or both. Gradients flow through all steps: they are one recurrent network.

Consistency distillation (latent consistency models) never runs the student for more than one step: it matches
neighbouring points of the teacher's trajectory, needs a moving average of the student as a target, a boundary
parametrisation and a distance, and its multi-step sampler adds fresh noise that takes steadiness from a video. It is
the cheaper choice where pictures are far from determined by their conditions and the teacher's whole trajectory is the
bulk of the work. Here source and pose determine most of the picture: the map from noise to picture is nearly
deterministic, so that regression learns it (as in knowledge distillation of iterative generative models, Luhman &
Luhman 2021), and the student corrects its own errors, which it never sees under consistency distillation.
"""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.model_folder import save_model
from signgen.models.autoencoder import decode, encode, latent_size
from signgen.models.conditions import condition_embedding, fusion_embedding, source_hidden
from signgen.models.pixels import resize, to_drawings, to_images
from signgen.models.pose_inputs import PoseInputs
from signgen.sampling.solvers import SOLVERS
from signgen.systems.fpdm.pipeline import STARTS, FPDMPipeline
from signgen.systems.fpdm.settings import FPDMSettings
from signgen.systems.fpdm.train_diffusion import freeze_unread, sampled_pictures
from signgen.training.objective import Batch, Objective, picture_loss, region_weights

MOST_STEPS = 8


@dataclass
class DistillationSettings(FPDMSettings):
    """Loss = the mean over the student's steps of imitation |x - teacher's|^2 + target |x - target's|^2, in latents,
    + pictures (L1 + ssim (1 - SSIM)) of the last step's picture and the target."""

    teacher: str = "???"
    """Embedded name, folder or hub id of a trained FPDM, which the student starts from; `model` is to name its size."""
    student_steps: int = 2
    """DDIM steps that the student is meant for, evenly spaced from pure noise on."""
    start: str = "noise"
    """What the student starts from: noise, or source, the source picture's latents in the noise's place: regression
    has no use for noise, and what stands still between source and target is then a copy."""
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
    pictures: float = 0.0
    """Weight of the distance of the decoded result to the target's picture."""
    ssim: float = 0.0
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
        goals = (self.imitation, self.target, self.pictures)
        if min(*goals, self.ssim) < 0 or not any(goals):
            raise UserError("imitation, target, pictures and ssim are weights: not negative, the first three not all 0")


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
        self.teacher = nn.ModuleDict({name: getattr(teacher, name) for name in own} if settings.imitation else {})
        self.expect_skeleton(settings.teacher, teacher.config.skeleton)
        self.teacher_scheduler, self.teacher_start = teacher.scheduler, teacher.config.start
        # Few steps lead from pure noise to the data, whatever the teacher's do.
        with torch.device("cpu"):
            self.scheduler = DDIMScheduler.from_config(
                teacher.scheduler.config, timestep_spacing="trailing", set_alpha_to_one=True
            )
        if settings.gradient_checkpointing:
            self.unet.unet.enable_gradient_checkpointing()
        self.size = sizes.picture_size if settings.picture_size else tuple(teacher.config.picture_size)
        self.source_size = sizes.source_size if settings.source_size else tuple(teacher.config.source_size)
        self.latent_shape = (self.unet.latent_channels, *latent_size(self.vae, *self.size))
        self.noise_count = int(np.prod(self.latent_shape))

    def trainable(self) -> dict[str, nn.Module]:
        parts: dict[str, nn.Module] = {"unet": self.unet}
        if self.settings.train_source_encoder:
            parts["source_encoder"] = self.source_encoder
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
        goals = self.goals(batch, noise)
        weights = region_weights(
            batch["keypoints"], self.size, self.latent_shape[1:], self.settings.hands, self.settings.face
        )
        drafts = self.drafts(batch, noise)
        values = {}
        loss = torch.zeros((), device=noise.device)
        for name, (weight, goal) in goals.items():
            errors = [(draft - goal).square() for draft in drafts]
            loss = loss + weight * torch.stack([(weights * error).mean() for error in errors]).mean()
            values[name] = errors[-1].mean()
        if self.settings.pictures:
            pictures = decode(self.vae, drafts[-1], *self.size).float()
            found = picture_loss(pictures, to_images(batch["target"]), weights, self.settings.ssim)
            loss = loss + self.settings.pictures * found.pop("loss")
            values |= found
        return {"loss": loss, **values}

    @torch.no_grad()
    def goals(self, batch: Batch, noise: Tensor) -> dict[str, tuple[float, Tensor]]:
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

    def drafts(self, batch: Batch, noise: Tensor) -> list[Tensor]:
        """What the student takes the clean latents (B, C, h, w) to be, step by step; the last is its result."""
        sources = resize(batch["source"], self.source_size)
        with torch.no_grad():
            if self.settings.start == "source":
                noise = encode(self.vae, to_images(batch["source"])).float()
            embedded = fusion_embedding(self.fusion, sources)
            fused = condition_embedding(self.embedding, self.fusion, embedded, batch["pose"])
        tokens = self.unet.source_tokens(source_hidden(self.source_encoder, sources))
        context = self.unet.source_context(tokens)
        features = self.unet.pose_features(to_drawings(batch["pose"]))
        self.scheduler.set_timesteps(self.settings.student_steps)
        latents: Tensor = noise
        drafts = []
        for timestep in self.scheduler.timesteps:
            prediction = self.unet(latents, timestep, context, features, fused).float()
            step = self.scheduler.step(prediction, timestep, latents)
            drafts.append(step.pred_original_sample)
            latents = step.prev_sample
        return drafts

    def assemble(self, start: str = "", **parts: Any) -> FPDMPipeline:
        """A pipeline of these parts, the student's where none is given."""
        own = {"vae": self.vae, "fusion": self.fusion, "source_encoder": self.source_encoder, "unet": self.unet}
        return FPDMPipeline(
            **own | {"scheduler": self.scheduler} | parts,
            picture_size=self.size,
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
        return sampled_pictures(self.assemble(), batch, batch["noise"].view(-1, *self.latent_shape))

    def save(self, folder: Path) -> None:
        save_model(self.assemble(), folder)
