"""Guided predictions of the conditional UNet, for every system."""

from dataclasses import dataclass

import torch
from torch import Tensor

from signgen.models.attention import SourceContext
from signgen.models.unet import ConditionalUNet
from signgen.sampling.guidance import Branch


@dataclass
class Conditions:
    """A batch's conditions; None where a denoiser has no such condition.

    pose_features: (B, C, h, w). fusion: the embedding that is added to the time embedding, (B, dim). known: what is
    known of the picture, (B, C', h, w). null_pose: whether the null branch sees the pose, too (PCDMs).
    """

    context: SourceContext
    pose_features: Tensor | None = None
    fusion: Tensor | None = None
    known: Tensor | None = None
    null_pose: bool = False


def denoise(
    unet: ConditionalUNet,
    conditions: Conditions,
    branches: list[Branch],
    latents: Tensor,
    timestep: Tensor,
    *,
    one_by_one: bool = False,
) -> Tensor:
    """The guided prediction for latents (B, C, h, w): the branches' predictions times their weights.

    All branches run in one batch, or for less memory one by one.
    """
    groups = [[branch] for branch in branches] if one_by_one else [branches]
    return torch.stack([_weighted_sum(unet, conditions, group, latents, timestep) for group in groups]).sum(dim=0)


def _weighted_sum(
    unet: ConditionalUNet, conditions: Conditions, branches: list[Branch], latents: Tensor, timestep: Tensor
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
    ).float()
    weights = torch.tensor([branch.weight for branch in branches], device=prediction.device)
    return torch.einsum("n,nbchw->bchw", weights, prediction.unflatten(0, (len(branches), rows)))


def _per_branch(condition: Tensor | None, kept: list[bool]) -> Tensor | None:
    """A condition's rows for every branch, zero where a branch does not see it."""
    if condition is None:
        return None
    return torch.cat([condition if keep else torch.zeros_like(condition) for keep in kept])
