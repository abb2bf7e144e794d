"""Colours of the source for places that it does not show: what is around them, and the skin."""

import torch
import torch.nn.functional as F
from torch import Tensor

from signgen.models.body_parts import FACE
from signgen.models.transport import enlarged, sample

NOSE, TIP, CHEEKS = slice(27, 31), 30, [3, 13]  # of the face: its bridge, where that ends, and the jaw beside it


def background(images: Tensor, covered: Tensor) -> Tensor:
    """Images (B, C, H, W) whose arms and head (`signgen.models.transport.cover`'s (B, 2, h, w)) are filled with what is
    around them."""
    weights = 1 - enlarged(covered.amax(1, keepdim=True), (images.shape[-2], images.shape[-1]))
    weights = (weights - 0.5).clamp(min=0) * 2
    return torch.lerp(_filled(images * weights, weights), images, weights)


def _filled(sums: Tensor, weights: Tensor) -> Tensor:
    """Weighted colours averaged over ever larger surroundings, until there are some everywhere."""
    size = sums.shape[-2:]
    if min(size) <= 2:
        return sums.sum((2, 3), keepdim=True).expand_as(sums) / weights.sum((2, 3), keepdim=True).clamp(min=1e-4)
    small_sums, small_weights = (F.avg_pool2d(values, 2, ceil_mode=True) for values in (sums, weights))
    around = F.interpolate(_filled(small_sums, small_weights), size, mode="bilinear")
    share = F.interpolate(small_weights, size, mode="bilinear").clamp(0, 1)
    near = F.interpolate(small_sums, size, mode="bilinear") / share.clamp(min=1e-4)
    return torch.lerp(around, near, (4 * share).clamp(max=1))


def skin(images: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The median colour (B, 3, 1, 1) of nose and cheeks, of images (B, 3, H, W) with keypoints (B, 133, 3) in
    their pixels; and whether there is a face (B, 1, 1, 1), 1 or 0."""
    height, width = images.shape[-2:]
    face = points[:, FACE]
    nose, tip = face[:, NOSE], face[:, TIP : TIP + 1]
    cheeks = (face[:, CHEEKS] + tip) / 2
    places = torch.cat([nose, cheeks], 1)[..., :2]
    colours = sample(images, ((places + 0.5) / places.new_tensor([width, height])).unsqueeze(1))
    found = (nose[..., 2] > 0).all(1) & (face[:, CHEEKS, 2] > 0).all(1)
    return colours.median(-1, keepdim=True).values, found.view(-1, 1, 1, 1).to(images.dtype)
