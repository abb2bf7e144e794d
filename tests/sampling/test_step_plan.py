import pytest

from signgen.sampling.guidance import guidance_branches
from signgen.sampling.step_plan import Step, sampling_plan

GUIDED, UNGUIDED = (tuple(guidance_branches(weight, weight)) for weight in (2.0, 1.0))


def test_without_shortcuts_every_step_computes_everything() -> None:
    assert sampling_plan(3, 2.0, 2.0) == [Step(GUIDED)] * 3


@pytest.mark.parametrize(("bounds", "guided"), [((1, 3), [1, 2]), ((None, 1), [0]), ((-1, None), [3]), ((0, 0), [])])
def test_only_steps_between_the_bounds_are_guided(bounds: tuple[int | None, int | None], guided: list[int]) -> None:
    plan = sampling_plan(4, 2.0, 2.0, bounds)
    assert [step for step, does in enumerate(plan) if does.branches == GUIDED] == guided
    assert all(step.branches in (GUIDED, UNGUIDED) for step in plan)


@pytest.mark.parametrize(
    ("bounds", "every", "fresh"),
    [((None, None), 2, [0, 2, 4]), ((None, None), 9, [0]), ((2, 4), 9, [0, 2, 4]), ((3, None), 2, [0, 2, 3, 4])],
)
def test_deep_features_are_computed_anew_at_times_and_for_other_branches(
    bounds: tuple[int | None, int | None], every: int, fresh: list[int]
) -> None:
    plan = sampling_plan(5, 2.0, 2.0, bounds, every)
    assert [step for step, does in enumerate(plan) if does.fresh] == fresh
