"""Plans what each sampling step computes: everything, unless one of the shortcuts, which change frames a little, is
on."""

from dataclasses import dataclass

from signgen.sampling.guidance import Branch, guidance_branches


@dataclass(frozen=True)
class Step:
    """branches: of the denoiser. fresh: whether its deep features are computed, or those of the last fresh step are
    used again."""

    branches: tuple[Branch, ...]
    fresh: bool = True


def sampling_plan(
    steps: int,
    guidance_source: float,
    guidance_fusion: float,
    guidance_steps: tuple[int | None, int | None] = (None, None),
    deep_cache: int = 1,
) -> list[Step]:
    """The steps of a sampling, in their order.

    guidance_steps: A, B: only steps from A on and before B, counted from 0 as in a slice, are guided; the others run
    the conditioned branch alone. (Guidance on an interval: Kynkaanniemi et al. 2024, arXiv 2404.07724.) deep_cache:
    deep features are computed at every step that is a multiple of it, and where the branches change. (DeepCache: Ma et
    al. 2024, arXiv 2312.00858.)
    """
    guided = range(steps)[slice(*guidance_steps)]
    plan: list[Step] = []
    for step in range(steps):
        weights = (guidance_source, guidance_fusion) if step in guided else (1.0, 1.0)
        branches = tuple(guidance_branches(*weights))
        plan.append(Step(branches, fresh=step % deep_cache == 0 or branches != plan[-1].branches))
    return plan
