"""The sampling loop: a pure function over a denoiser."""

import inspect
from collections.abc import Callable

import torch
from diffusers import SchedulerMixin
from torch import Tensor

Denoiser = Callable[[Tensor, Tensor], Tensor]


def sample(
    denoiser: Denoiser,
    scheduler: SchedulerMixin,
    latents: Tensor,
    steps: int,
    generators: list[torch.Generator] | torch.Generator | None = None,
) -> Tensor:
    """Carry latents (B, C, h, w) from pure noise to the data in `steps` steps.

    denoiser(latents, timestep) gives what the scheduler's prediction type says. generators: of the noise that
    stochastic solvers add, one per row (so that a frame does not depend on the batch it is in) or one for all.
    """
    scheduler.set_timesteps(steps)  # on the CPU: solvers branch on the timestep, which would wait for the device
    latents = latents * scheduler.init_noise_sigma
    options = {"generator": generators} if "generator" in inspect.signature(scheduler.step).parameters else {}
    for timestep in scheduler.timesteps:
        prediction = denoiser(scheduler.scale_model_input(latents, timestep), timestep)
        latents = scheduler.step(prediction, timestep, latents, **options).prev_sample
    return latents
