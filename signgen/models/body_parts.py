"""The parts of a signer's body: which places they cover, and how places move with them from one pose to another.

A part is a bone and the pixels within its half width: upper arm, forearm, palm and fingers. Torso and head are parts as
well. Keypoints are COCO-WholeBody's 133, (B, 133, 3), in pixels. Places are a grid's (3, N): x, y and 1.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SHOULDERS = (5, 6)
FACE = slice(23, 91)
HANDS = (91, 112)
ARMS = ((5, 7, 9), (6, 8, 10))  # shoulder, elbow, wrist
FINGERS = tuple(
    (start, finger + joint)
    for finger in (1, 5, 9, 13, 17)
    for joint, start in enumerate((0, finger, finger + 1, finger + 2))
)
ARM_BONES = 2  # of an arm's bones, before those of the hand

# Half widths in widths of the shoulders: where a part's pixels are taken to lie.
UPPER_ARM, FOREARM, PALM, FINGER = 0.18, 0.13, 0.08, 0.045
TORSO, TORSO_EDGE = 0.2, 0.1
DOWN = 0.5  # how far below the shoulders the torso moves with them, likewise
# In widths of the face: the reach of the head's movement and its softness; half width and half height of head and hair;
# by how much their middle is above that of the face's points; how far a face point moves its surroundings.
HEAD, HEAD_EDGE = 1.0, 0.15
HEAD_SIZE = (0.85, 1.15)
RISE = 0.5
FACE_REACH, FACE_STILL = 0.12, 0.3
FACE_POINTS = 5  # fewer do not tell where a head is
EDGE = 0.12  # softness of a part's edge, in half widths
BLEND = 3.0  # how sharply the nearest of an arm's parts is preferred
ABSENT = 1e4  # squared half widths


@dataclass
class Bones:
    """starts, vectors: (B, P, 2), pixels. there: (B, P), whether both ends are. widths: (B, P), half widths, pixels."""

    starts: Tensor
    vectors: Tensor
    there: Tensor
    widths: Tensor

    @classmethod
    def of_arm(cls, points: Tensor, side: int, width: int) -> "Bones":
        """Bones of an arm (0 left, 1 right) and its hand; width: of the image, pixels."""
        shoulder, elbow, wrist = ARMS[side]
        hand = [(HANDS[side] + start, HANDS[side] + end) for start, end in FINGERS]
        halves = [UPPER_ARM, FOREARM, *(PALM if start == 0 else FINGER for start, _ in FINGERS)]
        ends = torch.tensor([(shoulder, elbow), (elbow, wrist), *hand], device=points.device)
        start, end = points[:, ends[:, 0]], points[:, ends[:, 1]]
        there = (start[..., 2] > 0) & (end[..., 2] > 0)
        return cls(start[..., :2], (end - start)[..., :2], there, unit(points, width) * points.new_tensor(halves))

    def squared(self, places: Tensor) -> Tensor:
        """Squared distances (B, P, N) of places from the bones, in half widths."""
        length = self.vectors.norm(dim=-1, keepdim=True).clamp(min=1e-3)
        along = self.vectors / length
        across = torch.stack([-along[..., 1], along[..., 0]], -1)
        widths = self.widths.unsqueeze(-1)
        axes = torch.cat([along / length, across / widths], 1)
        starts = torch.cat([self.starts, self.starts], 1)
        numbers = torch.cat([axes, -(axes * starts).sum(-1, keepdim=True)], -1)
        share, beside = (numbers @ places).chunk(2, dim=1)
        beyond = (share - share.clamp(0, 1)) * (length / widths)
        return beyond.square() + beside.square()


def edge(squared: Tensor) -> Tensor:
    """How much a part covers places, in [0, 1], of squared distances in half widths."""
    return torch.sigmoid((1 - (squared + 1e-6).sqrt()) / EDGE)


def covered(squared: Tensor, there: Tensor) -> Tensor:
    """How much any of the bones that are `there` (B, P) covers places (B, N), of squared distances (B, P, N)."""
    return edge(squared.masked_fill(~there.unsqueeze(-1), ABSENT).amin(1))


def unit(points: Tensor, width: int) -> Tensor:
    """Width of the shoulders (B, 1), pixels; a third of the image's `width` where they are missing."""
    left, right = (points[:, index] for index in SHOULDERS)
    found = (left[:, 2] > 0) & (right[:, 2] > 0)
    apart = (left - right)[:, :2].norm(dim=-1)
    return torch.where(found, apart, width / 3).clamp(width / 12, width).view(-1, 1)


def with_wrists(points: Tensor) -> Tensor:
    """Keypoints whose wrists are the hands' where the body has none."""
    points = points.clone()
    for (_, _, wrist), hand in zip(ARMS, HANDS, strict=True):
        lacking = (points[:, wrist, 2:] == 0) & (points[:, hand, 2:] > 0)
        points[:, wrist] = torch.where(lacking, points[:, hand], points[:, wrist])
    return points


def moved_with_arm(own: Bones, target: Bones, squared: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Where places (B, 2, N) of a target's arm come from in the source, pixels, and how much of it they show (B, N).

    squared: `target.squared(places)`. Near a joint the movements of its parts blend.
    """
    nearest = squared.masked_fill(~(own.there & target.there).unsqueeze(-1), ABSENT)
    weights = torch.softmax(-BLEND * nearest, 1)
    # The blend of affine maps is the affine map of the blended numbers.
    maps = affine(target, own).flatten(2).transpose(1, 2) @ weights
    return applied(maps.unflatten(1, (2, 3)), places), edge(nearest.amin(1))


def affine(bones: Bones, onto: Bones) -> Tensor:
    """Affine maps (B, P, 2, 3) that carry bones onto other bones: along them they stretch, across they do not."""
    matrix = _frame(onto.vectors) @ torch.linalg.inv(_frame(bones.vectors))
    return torch.cat([matrix, onto.starts.unsqueeze(-1) - matrix @ bones.starts.unsqueeze(-1)], -1)


def applied(maps: Tensor, places: Tensor) -> Tensor:
    """Places (B, 2, N) under affine maps (B, 2, 3, N or 1)."""
    return maps[:, :, 0] * places[0] + maps[:, :, 1] * places[1] + maps[:, :, 2]


def _frame(vectors: Tensor) -> Tensor:
    """Matrices (B, P, 2, 2) of a bone's vector and of the unit vector across it, as columns."""
    length = vectors.norm(dim=-1, keepdim=True)
    vectors = torch.where(length > 1e-3, vectors, vectors.new_tensor([1.0, 0.0]))
    along = vectors / vectors.norm(dim=-1, keepdim=True)
    return torch.stack([vectors, torch.stack([-along[..., 1], along[..., 0]], -1)], -1)


def moved_with_torso(source: Tensor, target: Tensor, places: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Places (B, 2, N) moved with the line of the shoulders, pixels, and weights (B, N): high below that line."""
    own, line = (_shoulder_line(points) for points in (source, target))
    middle, scale = line.starts + line.vectors / 2, unit(target, width)
    along = line.vectors / line.vectors.norm(dim=-1, keepdim=True).clamp(min=1e-3)
    down = torch.stack([-along[..., 1], along[..., 0]], -1) * DOWN * scale.unsqueeze(-1)
    spine = Bones(middle, torch.where(down[..., 1:] < 0, -down, down), line.there, scale)
    beyond = ((spine.squared(places)[:, 0] + 1e-9).sqrt() - TORSO).clamp(min=0)
    weights = torch.exp(-0.5 * (beyond / TORSO_EDGE).square()) * (line.there & own.there)
    return applied(affine(line, own)[:, 0].unsqueeze(-1), places), weights


def _shoulder_line(points: Tensor) -> Bones:
    start, end = (points[:, index : index + 1] for index in SHOULDERS)
    there = (start[..., 2] > 0) & (end[..., 2] > 0)
    return Bones(start[..., :2], (end - start)[..., :2], there, torch.ones_like(start[..., 0]))


def moved_with_head(source: Tensor, target: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Places (B, 2, N) moved with the face and its points, pixels, and weights (B, N): high on head and hair."""
    before, after = source[:, FACE], target[:, FACE]
    shown = ((before[..., 2] > 0) & (after[..., 2] > 0)).float().unsqueeze(-1)  # (B, 68, 1)
    (own_centre, own, _), (centre, new, width) = (_face(points[..., :2], shown) for points in (before, after))
    turn = _similarity(new * shown, own * shown)  # from target to source
    offset = places[:2].T - centre  # (B, N, 2)
    moved = offset @ turn.transpose(1, 2) + own_centre
    near = torch.cdist(offset, new) / (FACE_REACH * width).unsqueeze(-1)
    pull = torch.exp(-0.5 * near.square()) * shown.transpose(1, 2)  # (B, N, 68)
    left_over = own - new @ turn.transpose(1, 2)
    moved = moved + pull @ left_over / (pull.sum(-1, keepdim=True) + FACE_STILL)
    beyond = (_above(offset, width).norm(dim=-1) / width - HEAD).clamp(min=0)
    weights = torch.exp(-0.5 * (beyond / HEAD_EDGE).square()) * _tells(shown)
    return moved.transpose(1, 2), weights


def head_cover(points: Tensor, places: Tensor) -> Tensor:
    """How much the head with its hair covers places (B, N), in [0, 1]."""
    face = points[:, FACE]
    shown = (face[..., 2:] > 0).float()
    centre, _, width = _face(face[..., :2], shown)
    offset = _above(places[:2].T - centre, width) / (width.unsqueeze(-1) * points.new_tensor(HEAD_SIZE))
    return edge(offset.square().sum(-1)) * _tells(shown)


def _face(points: Tensor, shown: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre (B, 1, 2), points about it (B, 68, 2) and about the width (B, 1) of a face whose points are `shown`."""
    count = shown.sum(1, keepdim=True).clamp(min=1)
    centre = (points * shown).sum(1, keepdim=True) / count
    spread = ((points - centre) * shown).square().sum((1, 2)).unsqueeze(-1) / count[:, 0]
    return centre, points - centre, spread.sqrt().clamp(min=1) * 2.2


def _above(offset: Tensor, width: Tensor) -> Tensor:
    """Offsets (B, N, 2) from a face's centre as offsets from the middle of its head."""
    return offset + torch.stack([torch.zeros_like(width), RISE * width], -1)


def _tells(shown: Tensor) -> Tensor:
    return (shown.sum((1, 2)) >= FACE_POINTS).float().view(-1, 1)


def _similarity(points: Tensor, onto: Tensor) -> Tensor:
    """The turn and scale (B, 2, 2) that carry centred points (B, K, 2) nearest to others, by least squares."""
    size = points.square().sum((1, 2)).clamp(min=1e-3)
    cosine = (points * onto).sum((1, 2)) / size
    sine = (points[..., 0] * onto[..., 1] - points[..., 1] * onto[..., 0]).sum(1) / size
    return torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
