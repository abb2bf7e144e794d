import pytest
import torch
from diffusers import DDIMScheduler

from signgen.errors import UserError
from signgen.sampling.noise import frame_noise
from signgen.sampling.sampler import sample
from signgen.sampling.solvers import SOLVERS, solver

SCHEDULE = DDIMScheduler(
    beta_start=0.00085,
    beta_end=0.012,
    beta_schedule="scaled_linear",
    prediction_type="v_prediction",
    clip_sample=False,
    timestep_spacing="trailing",
)


@pytest.mark.parametrize("prediction", ["v_prediction", "epsilon"])
@pytest.mark.parametrize("name", SOLVERS)
def test_a_perfect_denoiser_is_followed_to_the_data(name: str, prediction: str) -> None:
    schedule = DDIMScheduler.from_config(SCHEDULE.config, prediction_type=prediction)
    data = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(1))

    def denoiser(latents: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        alpha = schedule.alphas_cumprod[timestep]
        epsilon = (latents - alpha.sqrt() * data) / (1 - alpha).sqrt()
        return epsilon if prediction == "epsilon" else alpha.sqrt() * epsilon - (1 - alpha).sqrt() * data

    _, generators = frame_noise((4, 3, 3), 0, range(2))
    result = sample(denoiser, solver(name, schedule), noise, 20, generators)
    # What remains is the noise that the schedule leaves at its first step.
    assert (result - data).abs().max() < 0.05


def test_a_frames_noise_does_not_depend_on_its_batch() -> None:
    initial, generators = frame_noise((2, 3), 7, range(5))
    again, later = frame_noise((2, 3), 7, [3])
    assert torch.equal(initial, again)
    assert torch.equal(torch.randn(4, generator=generators[3]), torch.randn(4, generator=later[0]))
    other, _ = frame_noise((2, 3), 8, [3])
    assert not torch.equal(initial, other)


def test_frames_of_one_video_have_different_step_noise() -> None:
    _, generators = frame_noise((2, 3), 7, range(2))
    assert not torch.equal(torch.randn(4, generator=generators[0]), torch.randn(4, generator=generators[1]))


def test_an_unknown_solver_is_named() -> None:
    with pytest.raises(UserError, match="unknown solver 'euler': choose one of ddim"):
        solver("euler", SCHEDULE)
