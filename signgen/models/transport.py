"""Transport: the first frame moved to a target pose, in layers, with a map of where it has nothing to show.

Three layers: the body (torso and head move, far from them nothing does), and each arm with its hand. A layer says for
every place of the target where in the source its colour lies (`signgen.models.body_parts`). Where an arm or the head of
the source is no longer in its place, what is behind it was never seen: those pixels are filled from around them, and
the map says so. Everything is differentiable torch, for batches and on any device.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from signgen.models.body_parts import (
    ARM_BONES,
    Bones,
    covered,
    head_cover,
    moved_with_arm,
    moved_with_head,
    moved_with_torso,
    with_wrists,
)

STRIDE = 4  # pixels between the places at which movements are computed: they are smooth
SLEEVE = 1.5  # half widths of an arm that has to be gone from where it was: sleeves are wider than what moves
STILL = 0.1  # weight of staying in place, in the body's layer


@dataclass
class Transport:
    """Where each place of the target comes from, on a grid (h, w) of any fineness.

    shifts: (B, 6, h, w), from a place to where its colour lies in the source, x and y in shares of width and height,
    for the body, the left and the right arm; 0 where nothing moves. shown: (B, 3, h, w) in [0, 1], how much of each
    layer is at a place; the body's is 1 everywhere. hidden: (B, 1, h, w) in [0, 1], where the source shows nothing.
    bare: (B, 1, h, w), where a hand is to be that the source does not show.
    """

    shifts: Tensor
    shown: Tensor
    hidden: Tensor
    bare: Tensor


def transport(
    source: Tensor, target: Tensor, size: tuple[int, int], own: Tensor | None = None, stride: int = STRIDE
) -> Transport:
    """Transport from source to target keypoints (B, 133, 3), in pixels of images of `size` (height, width).

    The source may have a single row. own: its `cover`, if it is at hand.
    """
    own = cover(source, size, stride) if own is None else own
    source, target = with_wrists(source.float()), with_wrists(target.float())
    (height, width), rows = size, len(target)
    places, shape = _grid(height, width, stride, target.device), own.shape[-2:]
    shifts = [_moved_with_body(source, target, places, width) - places[:2]]
    shown, needed, around, hands = [], [], [], []
    for side in range(2):
        bones = Bones.of_arm(target, side, width)
        squared = bones.squared(places)
        there, amount = moved_with_arm(Bones.of_arm(source, side, width), bones, squared, places)
        shifts.append(there - places[:2])
        shown.append(amount)
        needed.append(covered(squared, bones.there))
        around.append(covered(squared / SLEEVE**2, bones.there))
        hands.append(covered(squared[:, ARM_BONES:], bones.there[:, ARM_BONES:]))
    maps = torch.stack([torch.ones_like(shown[0]), *shown], 1).view(rows, 3, *shape)
    arms, sleeves, hand = (torch.stack(each, 1).amax(1).view(rows, 1, *shape) for each in (needed, around, hands))
    here = maps[:, 1:].amax(1, keepdim=True)
    head = head_cover(target, places).view(rows, 1, *shape)
    edge = target.new_tensor([width, height]).view(1, 2, 1)
    body = shifts[0] + places[:2]
    # The grid's own coordinates: exactly nothing is left behind where nothing moves.
    on_grid = (body / (edge - 1) * 2 - 1).transpose(1, 2).view(rows, *shape, 2)
    before = F.grid_sample(own.expand(rows, -1, -1, -1), on_grid, padding_mode="border", align_corners=True)
    left_behind = (before - torch.cat([sleeves, head], 1)).clamp(min=0).amax(1, keepdim=True)
    outside = ((body + 0.5 < 0) | (body + 0.5 > edge)).any(1).view(rows, 1, *shape) & (here < 0.5)
    hidden = torch.stack([left_behind, (arms - here).clamp(min=0), outside.float()]).amax(0)
    moved = torch.cat([shift / edge for shift in shifts], 1).view(rows, 6, *shape)
    return Transport(moved, maps, hidden, (hand - here).clamp(min=0))


def cover(points: Tensor, size: tuple[int, int], stride: int = STRIDE) -> Tensor:
    """Where the arms in their sleeves and the head with its hair are, (B, 2, h, w) in [0, 1], of keypoints (B, 133, 3)
    in pixels of images of `size` (height, width)."""
    points = with_wrists(points.float())
    places = _grid(*size, stride, points.device)
    arms = []
    for side in range(2):
        bones = Bones.of_arm(points, side, size[1])
        arms.append(covered(bones.squared(places) / SLEEVE**2, bones.there))
    both = torch.stack([torch.stack(arms, 1).amax(1), head_cover(points, places)], 1)
    return both.view(-1, 2, *(-(-side // stride) for side in size))


def _moved_with_body(source: Tensor, target: Tensor, places: Tensor, width: int) -> Tensor:
    """Where the body's places (B, 2, N) come from, pixels."""
    torso, torso_weight = moved_with_torso(source, target, places, width)
    head, head_weight = moved_with_head(source, target, places)
    moved = torso_weight.unsqueeze(1) * (torso - places[:2]) + head_weight.unsqueeze(1) * (head - places[:2])
    return places[:2] + moved / (torso_weight + head_weight + STILL).unsqueeze(1)


def _grid(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """(3, N) x, y and 1 of places from the first to the last pixel, about `stride` apart."""
    rows, columns = (torch.linspace(0, side - 1, -(-side // stride), device=device) for side in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).flatten(1)


def enlarged(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, C, h, w) on a grid over the whole image -> (B, C, *size), bilinear."""
    return values if values.shape[-2:] == size else F.interpolate(values, size, mode="bilinear", align_corners=True)


def sample(images: Tensor, places: Tensor) -> Tensor:
    """Colours (B, C, h, w) of images (1 or B, C, H, W) at places (B, h, w, 2), in shares of width and height."""
    rows = max(len(images), len(places))
    images, places = images.expand(rows, -1, -1, -1), places.expand(rows, -1, -1, -1)
    return F.grid_sample(images, (places * 2 - 1).to(images.dtype), padding_mode="border", align_corners=False)


def layers(images: Tensor, behind: Tensor, moved: Transport, size: tuple[int, int]) -> Tensor:
    """The layers (B, 3, C, *size) of source images (1 or B, C, H, W): body, left arm, right arm.

    behind: their background, which shows in the body's layer where arms and head have moved away.
    """
    height, width = size
    own = (_grid(height, width, 1, moved.shifts.device)[:2].T + 0.5) / moved.shifts.new_tensor([width, height])
    places = own.view(height, width, 2) + enlarged(moved.shifts, size).unflatten(1, (3, 2)).movedim(2, -1)
    body = torch.lerp(sample(images, places[:, 0]), sample(behind, places[:, 0]), enlarged(moved.hidden, size))
    return torch.stack([body, sample(images, places[:, 1]), sample(images, places[:, 2])], 1)


def composed(layers: Tensor, moved: Transport) -> Tensor:
    """The transported image (B, C, H, W): the arms' layers over the body's, the one that is more certain on top."""
    size = (layers.shape[-2], layers.shape[-1])
    arms = enlarged(moved.shown[:, 1:], size)
    share = arms / arms.sum(1, keepdim=True).clamp(min=1e-4)
    arm = (layers[:, 1:] * share.unsqueeze(2)).sum(1)
    return torch.lerp(layers[:, 0], arm, arms.amax(1, keepdim=True))
