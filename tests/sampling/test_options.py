import warnings

import pytest

from signgen.errors import InputWarning
from signgen.sampling.options import SamplingOptions, warn_of_student

STUDENT = {"steps": 2, "solver": "ddim", "guidance_source": 1.0, "guidance_fusion": 1.0}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"guidance_source": 2.0, "guidance_fusion": 2.0}, "guidance 2: this model is distilled to 2 step"),
        ({"guidance_fusion": 1.5}, "guidance 1.5"),
        ({"steps": 20}, "20 steps"),
        ({"steps": 20, "guidance_source": 3.0}, "guidance 3 and 20 steps"),
    ],
)
def test_a_student_says_what_it_does_not_take(given: dict[str, float], said: str) -> None:
    with pytest.warns(InputWarning, match=said) as warned:
        warn_of_student(STUDENT, SamplingOptions(**given).sampling)
    assert len(warned) == 1


@pytest.mark.parametrize(
    ("own", "given"),
    [
        (STUDENT, {}),
        (STUDENT, {"steps": 1, "guidance_source": 1.0}),
        (STUDENT | {"guidance_source": 2.0, "guidance_fusion": 2.0}, {"steps": 20, "guidance_source": 3.0}),
        ({"steps": 20, "guidance": 2.0}, {"steps": 50, "guidance_source": 3.0}),
    ],
)
def test_what_a_model_takes_is_not_warned_of(own: dict[str, float], given: dict[str, float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_student(own, SamplingOptions(**given).sampling)
