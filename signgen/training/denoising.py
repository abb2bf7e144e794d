"""What all diffusion objectives share: timesteps, noise, dropped conditions and what is to be predicted."""

from dataclasses import dataclass
from math import prod

from diffusers import DDIMScheduler
from torch import Tensor

from signgen.errors import UserError
from signgen.training.objective import Objective
from signgen.training.settings import TrainingSettings


@dataclass
class Drops:
    """Probabilities of dropping conditions, per sample. A field `everything` is the probability of dropping all at
    once."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise UserError(f"drop.{name} is {value}; it is a probability, between 0 and 1")


def kept(drops: Drops, uniform: Tensor) -> tuple[Tensor, ...]:
    """Which samples keep each condition (B,), in the order of the drops' fields without `everything`.

    uniform: (B, UNIFORMS) in [0, 1), of which the first is the timestep's.
    """
    probabilities = dict(vars(drops))
    anything = uniform[:, 1] >= probabilities.pop("everything", 0.0)
    return tuple(anything & (uniform[:, place] >= value) for place, value in enumerate(probabilities.values(), start=2))


@dataclass
class DenoisingSettings(TrainingSettings):
    """What all diffusion trainings may set."""

    noise_offset: float = 0.1
    """Noise shared by a channel's positions, beside the independent noise."""
    noise_bias: float = 1.0
    """Timesteps are (1 - u^bias) T with u uniform: 1 is uniform (as published), 3 favours noise (CFLD's cubic
    sampling)."""


@dataclass
class LatentSettings(DenoisingSettings):
    """What trainings on latents may set beside that."""

    hands: float = 0.0
    """How much more a latent at a hand weighs in the loss."""
    face: float = 0.0


class DenoisingObjective(Objective):
    """Prediction of noise, velocity or the data itself from noised data.

    noised_shape: (C, ...) of a sample's data.
    """

    settings: DenoisingSettings
    scheduler: DDIMScheduler

    def set_noised_shape(self, shape: tuple[int, ...]) -> None:
        """Set the shape (C, ...) of the data. Its noise takes a number for every element, and one per channel for the
        offset."""
        self.noised_shape = shape
        self.noise_count = prod(shape) + shape[0]

    def timesteps(self, uniform: Tensor) -> Tensor:
        """Uniform numbers (B,) in [0, 1) -> timesteps (B,)."""
        last = self.scheduler.config.num_train_timesteps - 1
        return ((1 - uniform**self.settings.noise_bias) * (last + 1)).long().clamp(max=last)

    def noise(self, numbers: Tensor) -> Tensor:
        """A sample's standard normal numbers (B, noise_count) -> noise (B, *noised_shape) with its offset."""
        channels, *rest = self.noised_shape
        offset = numbers[:, -channels:].view(-1, channels, *[1] * len(rest))
        return numbers[:, :-channels].view(-1, *self.noised_shape) + self.settings.noise_offset * offset

    def target(self, data: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the network is to predict: the velocity, the noise or the data."""
        kind = self.scheduler.config.prediction_type
        if kind == "v_prediction":
            return self.scheduler.get_velocity(data, noise, timesteps)
        return noise if kind == "epsilon" else data

    def denoising_loss(self, prediction: Tensor, target: Tensor, weights: Tensor | None = None) -> dict[str, Tensor]:
        """`loss`, the mean squared error, its elements weighted; and `error`, the same unweighted."""
        error = (prediction.float() - target).square()
        return {"loss": (error if weights is None else weights * error).mean(), "error": error.mean().detach()}
