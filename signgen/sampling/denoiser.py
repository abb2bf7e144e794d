"""Guided predictions of the conditional UNet, for every system."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from signgen.models.attention import SourceContext
from signgen.models.unet import ConditionalUNet, DeepFeatures
from signgen.sampling.guidance import Branch
from signgen.sampling.sampler import Denoiser
from signgen.sampling.step_plan import Step

DeepCache: TypeAlias = defaultdict[tuple[Branch, ...], DeepFeatures]
"""Deep features of branches that run in one batch."""


@dataclass
class Conditions:
    """A batch's conditions; None where a denoiser has no such condition.

    pose_features: (B, C, h, w). fusion: the embedding that is added to the time embedding, (B, dim). known: what is
    known of the image, (B, C', h, w). null_pose: whether the null branch sees the pose, too (PCDMs).
    """

    context: SourceContext
    pose_features: Tensor | None = None
    fusion: Tensor | None = None
    known: Tensor | None = None
    null_pose: bool = False


def denoise(
    unet: ConditionalUNet,
    conditions: Conditions,
    branches: Sequence[Branch],
    latents: Tensor,
    timestep: Tensor,
    *,
    deep: DeepCache | None = None,
    one_by_one: bool = False,
) -> Tensor:
    """The guided prediction for latents (B, C, h, w): the branches' predictions times their weights.

    All branches run in one batch, or for less memory one by one. deep: features to use again, where there are any, or
    else to keep.
    """
    groups = [(branch,) for branch in branches] if one_by_one else [tuple(branches)]
    sums = [
        _weighted_sum(unet, conditions, group, latents, timestep, None if deep is None else deep[group])
        for group in groups
    ]
    return torch.stack(sums).sum(dim=0)


def guided_denoiser(
    unet: ConditionalUNet, conditions: Conditions, plan: Sequence[Step], *, one_by_one: bool = False
) -> Denoiser:
    """The denoiser of one sampling, to be called at each of the plan's steps in turn."""
    deep: DeepCache | None = None if all(step.fresh for step in plan) else defaultdict(DeepFeatures)
    coming = iter(plan)

    def denoiser(latents: Tensor, timestep: Tensor) -> Tensor:
        step = next(coming)
        if deep is not None and step.fresh:
            deep.clear()
        return denoise(unet, conditions, step.branches, latents, timestep, deep=deep, one_by_one=one_by_one)

    return denoiser


def _weighted_sum(
    unet: ConditionalUNet,
    conditions: Conditions,
    branches: Sequence[Branch],
    latents: Tensor,
    timestep: Tensor,
    deep: DeepFeatures | None,
) -> Tensor:
    rows, nulls = len(latents), sum(not branch.source for branch in branches)
    poses = [branch.source or conditions.null_pose for branch in branches]
    given = latents if conditions.known is None else torch.cat([latents, conditions.known.to(latents.dtype)], dim=1)
    prediction = unet(
        given.repeat(len(branches), 1, 1, 1).to(unet.dtype),
        timestep,
        # Null rows come first.
        conditions.context.for_branches(len(branches) - nulls, nulls * rows),
        _per_branch(conditions.pose_features, poses),
        _per_branch(conditions.fusion, [branch.fusion for branch in branches]),
        deep,
    ).float()
    weights = torch.tensor([branch.weight for branch in branches], device=prediction.device)
    return torch.einsum("n,nbchw->bchw", weights, prediction.unflatten(0, (len(branches), rows)))


def _per_branch(condition: Tensor | None, kept: list[bool]) -> Tensor | None:
    """A condition's rows for every branch, zero where a branch does not see it."""
    if condition is None:
        return None
    return torch.cat([condition if keep else torch.zeros_like(condition) for keep in kept])
