"""The optimizer, and its learning rate as a function of the step."""

import math
from typing import Any

import torch
from torch import nn

from signgen.errors import UserError
from signgen.training.settings import OptimizerSettings


def learning_rate(settings: OptimizerSettings, step: int, steps: int) -> float:
    """Learning rate of a step (from 0): a pure function, so that a resumed run needs no schedule's state."""
    rate = settings.learning_rate * min(1.0, (step + 1) / max(settings.warmup, 1))
    if settings.decay == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / steps))
    elif settings.decay == "linear" and step >= settings.decay_after:
        rate *= (steps - step) / (steps - settings.decay_after)
    elif settings.decay == "step" and step >= settings.decay_after:
        rate *= 0.1
    return rate


def make_optimizer(
    settings: OptimizerSettings, parameters: list[nn.Parameter], device: torch.device
) -> torch.optim.Optimizer:
    """AdamW, fused on CUDA, or with moments of 8 bits. Raises UserError where these are not to be had."""
    options: dict[str, Any] = {"weight_decay": settings.weight_decay, "betas": (settings.betas[0], settings.betas[1])}
    if not settings.eight_bit:
        return torch.optim.AdamW(parameters, fused=device.type == "cuda", **options)
    if device.type != "cuda":
        raise UserError("optimizer.eight_bit needs a CUDA device: leave it out here")
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise UserError("optimizer.eight_bit needs bitsandbytes: pip install bitsandbytes") from error
    return AdamW8bit(parameters, **options)
