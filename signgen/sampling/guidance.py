"""Sequential guidance over two conditions, and the branches of the denoiser that it needs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Branch:
    """One run of the denoiser: the conditions that it sees, and the weight of its prediction in the guided one."""

    weight: float
    source: bool
    fusion: bool


def guidance_branches(source: float, fusion: float) -> list[Branch]:
    """Branches of v = v0 + source (v_s - v0) + fusion (v_sf - v_s), the null branch first (FPDM, sequential guidance).

    v0 sees nothing, v_s pose and source tokens, v_sf the fusion embedding too. Collected by prediction, the weights are
    1 - source, source - fusion and fusion: a branch of weight 0 is not run. Equal weights need two branches (the middle
    one cancels), weights of 1 one.
    """
    branches = [
        Branch(1 - source, source=False, fusion=False),
        Branch(source - fusion, source=True, fusion=False),
        Branch(fusion, source=True, fusion=True),
    ]
    return [branch for branch in branches if branch.weight != 0]
