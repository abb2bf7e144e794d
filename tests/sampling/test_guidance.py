import pytest

from signgen.sampling.guidance import guidance_branches


@pytest.mark.parametrize(
    ("source", "fusion", "seen"),
    [
        (2.0, 2.0, [(False, False), (True, True)]),
        (1.0, 1.0, [(True, True)]),
        (2.0, 1.5, [(False, False), (True, False), (True, True)]),
        (1.0, 2.0, [(True, False), (True, True)]),
        (2.0, 0.0, [(False, False), (True, False)]),
        (0.0, 0.0, [(False, False)]),
    ],
)
def test_only_branches_that_weigh_something_are_run(
    source: float, fusion: float, seen: list[tuple[bool, bool]]
) -> None:
    branches = guidance_branches(source, fusion)
    assert [(branch.source, branch.fusion) for branch in branches] == seen
    assert sum(branch.weight for branch in branches) == pytest.approx(1)


@pytest.mark.parametrize(("source", "fusion"), [(2.0, 2.0), (1.0, 1.0), (3.0, 1.5), (0.5, 2.0)])
def test_the_weighted_sum_is_cumulative_guidance(source: float, fusion: float) -> None:
    null, with_source, with_both = 0.3, -1.2, 2.5
    values = {(False, False): null, (True, False): with_source, (True, True): with_both}
    guided = sum(b.weight * values[b.source, b.fusion] for b in guidance_branches(source, fusion))
    assert guided == pytest.approx(null + source * (with_source - null) + fusion * (with_both - with_source))
