"""Solvers of the diffusion process by name: diffusers' schedulers, made from the model's own noise schedule."""

from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    SchedulerMixin,
    UniPCMultistepScheduler,
)

from signgen.errors import UserError

SOLVERS: dict[str, type[SchedulerMixin]] = {
    "ddim": DDIMScheduler,
    "ddpm": DDPMScheduler,
    "dpm++": DPMSolverMultistepScheduler,
    "unipc": UniPCMultistepScheduler,
}


def solver(name: str, scheduler: SchedulerMixin) -> SchedulerMixin:
    """A fresh solver of that name on the scheduler's noise schedule. Raises UserError for an unknown name."""
    if name not in SOLVERS:
        raise UserError(f"unknown solver {name!r}: choose one of {', '.join(SOLVERS)}")
    return SOLVERS[name].from_config(scheduler.config)
