"""Transport: the first frame moved to a target pose, in layers, with a map of where it has nothing to show.

Three layers: the body (torso and head move, far from them nothing does), and each arm with its hand. A layer says for
every place of the target where in the source its colour lies. Limbs and finger bones are parts that turn, shift and
stretch with their bones; neighbouring parts of one layer blend. Torso and head are such parts, too; the face follows
its own points. Where an arm of the source is no longer in its place, the body behind it was never seen: those pixels
are filled from around them, and the map says so.

Everything is differentiable torch, for batches and on any device. Key points are COCO-WholeBody's 133.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SHOULDERS = (5, 6)
FACE = slice(23, 91)
NOSE, TIP, CHEEKS = slice(27, 31), 30, [3, 13]  # of the face: its bridge, where that ends, and the jaw beside it
HANDS = (91, 112)
ARMS = ((5, 7, 9), (6, 8, 10))  # shoulder, elbow, wrist
FINGERS = tuple(
    (start, finger + joint)
    for finger in (1, 5, 9, 13, 17)
    for joint, start in enumerate((0, finger, finger + 1, finger + 2))
)

# Half widths of parts in shoulder widths: where a part's pixels are taken to lie.
UPPER_ARM, FOREARM, PALM, FINGER = 0.18, 0.13, 0.08, 0.045
TORSO = 0.2
TORSO_EDGE = 0.1
DOWN = 0.5
HEAD = 1.0  # in widths of the face
HEAD_EDGE = 0.15
HEAD_SIZE = (0.85, 1.15)  # half width and half height of head and hair, likewise
RISE = 0.5  # by how much their middle is above that of the face's points, likewise
FACE_POINTS = 5  # fewer do not tell where a head is
FACE_REACH = 0.12  # in widths of the face: how far a face point moves its surroundings against the head
STILL = 0.1  # weight of staying in place, in the body's layer
EDGE = 0.12  # softness of an arm's edge, in half widths
BLEND = 3.0  # how sharply the nearest of an arm's parts is preferred


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


def transport(source: Tensor, target: Tensor, size: tuple[int, int], stride: int = 4) -> Transport:
    """Transport from source to target key points (B, 133, 3), in pixels of pictures of `size` (height, width).

    One of the two may have a single row. stride: pixels between the grid's places.
    """
    rows = max(len(source), len(target))
    source, target = (_joined(points.float()).expand(rows, -1, -1) for points in (source, target))
    height, width = size
    grid = _grid(height, width, stride, source.device)  # (N, 2)
    shape = (rows, -(-height // stride), -(-width // stride))
    unit = _unit(target, width)
    arms = [_arm(side, source, target, grid, unit) for side in range(2)]
    body = _body(source, target, grid, unit)
    edge = grid.new_tensor([width, height])
    shifts = (torch.stack([body, *(place for place, _ in arms)], 1) - grid) / edge
    shifts = shifts.movedim(-1, 2).reshape(rows, 6, *shape[1:])
    places = ((body + 0.5) / edge).view(*shape, 2)
    shown = torch.stack([torch.ones_like(arms[0][1]), *(amount for _, amount in arms)], 1).view(rows, 3, *shape[1:])
    own, needed = (cover(points, size, stride) for points in (source, target))
    # The grid's own coordinates: exactly nothing is left behind where nothing moves.
    on_grid = body / (edge - 1) * 2 - 1
    there = F.grid_sample(own, on_grid.view(*shape, 2), padding_mode="border", align_corners=True)
    left_behind = (there - needed).clamp(min=0).amax(1, keepdim=True)
    here = shown[:, 1:].amax(1, keepdim=True)
    lacking = (needed[:, :1] - here).clamp(min=0)
    outside = ((places < 0) | (places > 1)).any(-1)[:, None] & (here < 0.5)
    hands = torch.stack([_coverage(target, _hand_bones(side), grid, unit) for side in range(2)], 1).amax(1)
    bare = (hands.view(rows, 1, *shape[1:]) - here).clamp(min=0)
    hidden = torch.stack([left_behind, lacking, outside.float()]).amax(0)
    return Transport(shifts, shown, hidden, bare)


def cover(points: Tensor, size: tuple[int, int], stride: int = 4) -> Tensor:
    """Where the arms and the head with its hair are, (B, 2, h, w) in [0, 1], of key points (B, 133, 3) in pixels of
    images of `size` (height, width)."""
    points = _joined(points.float())
    grid, unit = _grid(*size, stride, points.device), _unit(points, size[1])
    arms = torch.stack([_coverage(points, _arm_bones(side), grid, unit) for side in range(2)], 1).amax(1)
    shape = (-1, 2, -(-size[0] // stride), -(-size[1] // stride))
    return torch.stack([arms, _head_coverage(points, grid)], 1).view(*shape)


def sample(images: Tensor, places: Tensor) -> Tensor:
    """Colours (B, C, h, w) of images (B, C, H, W) at places (B, h, w, 2), in shares of width and height."""
    rows = max(len(images), len(places))
    images, places = images.expand(rows, -1, -1, -1), places.expand(rows, -1, -1, -1)
    return F.grid_sample(images, (places * 2 - 1).to(images.dtype), padding_mode="border", align_corners=False)


def enlarged(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Maps (B, C, h, w) on a grid over the whole picture -> (B, C, *size), bilinear."""
    return values if values.shape[-2:] == size else F.interpolate(values, size, mode="bilinear", align_corners=True)


def layers(images: Tensor, behind: Tensor, moved: Transport, size: tuple[int, int]) -> Tensor:
    """The layers (B, 3, C, *size) of source images (1 or B, C, H, W): body, left arm, right arm.

    behind: their `background`, which shows in the body's layer where arms and head have moved away.
    """
    height, width = size
    own = (_grid(height, width, 1, moved.shifts.device) + 0.5) / moved.shifts.new_tensor([width, height])
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


def skin(images: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """The median colour (B, 3, 1, 1) of nose and cheeks, of images (B, 3, H, W) with key points (B, 133, 3) in
    their pixels; and whether there is a face (B, 1, 1, 1), 1 or 0."""
    height, width = images.shape[-2:]
    face = points[:, FACE]
    nose, tip = face[:, NOSE], face[:, TIP : TIP + 1]
    cheeks = (face[:, CHEEKS] + tip) / 2
    places = torch.cat([nose, cheeks], 1)[..., :2]
    colours = sample(images, ((places + 0.5) / places.new_tensor([width, height])).unsqueeze(1))
    found = (nose[..., 2] > 0).all(1) & (face[:, CHEEKS, 2] > 0).all(1)
    return colours.median(-1, keepdim=True).values, found.view(-1, 1, 1, 1).to(images.dtype)


def background(images: Tensor, covered: Tensor) -> Tensor:
    """Images (B, C, H, W) whose arms and head, `cover`'s (B, 2, h, w), are filled with what is around them."""
    weights = 1 - enlarged(covered.amax(1, keepdim=True), (images.shape[-2], images.shape[-1]))
    weights = (weights - 0.5).clamp(min=0) * 2
    rows = max(len(images), len(weights))
    images, weights = images.expand(rows, -1, -1, -1), weights.expand(rows, -1, -1, -1)
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


def _joined(points: Tensor) -> Tensor:
    """Key points whose wrists are the hands' where the body has none."""
    points = points.clone()
    for (_, _, wrist), hand in zip(ARMS, HANDS, strict=True):
        lacking = (points[:, wrist, 2:] == 0) & (points[:, hand, 2:] > 0)
        points[:, wrist] = torch.where(lacking, points[:, hand], points[:, wrist])
    return points


def _grid(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """(N, 2) x, y of places from the first to the last pixel, about `stride` apart."""
    rows, columns = (torch.linspace(0, side - 1, -(-side // stride), device=device) for side in (height, width))
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    return torch.stack([x, y], -1).view(-1, 2)


def _unit(points: Tensor, width: int) -> Tensor:
    """Width of the shoulders (B, 1), pixels; a third of the picture where they are missing."""
    left, right = (points[:, index] for index in SHOULDERS)
    found = (left[:, 2] > 0) & (right[:, 2] > 0)
    apart = (left - right)[:, :2].norm(dim=-1)
    return torch.where(found, apart, width / 3).clamp(width / 12, width).view(-1, 1)


def _arm_bones(side: int) -> tuple[Tensor, Tensor]:
    """Bones (P, 2) of an arm and its hand as indices of key points, and their half widths (P,)."""
    shoulder, elbow, wrist = ARMS[side]
    hand, widths = _hand_bones(side)
    arm = torch.tensor([(shoulder, elbow), (elbow, wrist)])
    return torch.cat([arm, hand]), torch.cat([torch.tensor([UPPER_ARM, FOREARM]), widths])


def _hand_bones(side: int) -> tuple[Tensor, Tensor]:
    """Bones (P, 2) of a hand and their half widths (P,)."""
    bones = torch.tensor(FINGERS)
    return bones + HANDS[side], torch.where(bones[:, 0] == 0, PALM, FINGER)


def _bones(points: Tensor, bones: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Starts (B, P, 2), vectors to the ends (B, P, 2), and whether both ends are there (B, P)."""
    start, end = points[:, bones[:, 0]], points[:, bones[:, 1]]
    return start[..., :2], (end - start)[..., :2], (start[..., 2] > 0) & (end[..., 2] > 0)


def _along(grid: Tensor, start: Tensor, vector: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (B, P, N) of places in the bones' frames: share of the length, and pixels beside."""
    length = vector.norm(dim=-1, keepdim=True).clamp(min=1e-3)
    x, y = (vector / length).unsqueeze(-2).unbind(-1)
    offset = grid - start.unsqueeze(-2)
    return (offset[..., 0] * x + offset[..., 1] * y) / length, offset[..., 1] * x - offset[..., 0] * y


def _distance(along: Tensor, beside: Tensor, vector: Tensor) -> Tensor:
    """Distance (B, P, N) of places from the bones, pixels."""
    over = (along - along.clamp(0, 1)) * vector.norm(dim=-1, keepdim=True)
    return (over.square() + beside.square() + 1e-6).sqrt()


def _coverage(points: Tensor, bones: tuple[Tensor, Tensor], grid: Tensor, unit: Tensor) -> Tensor:
    """How much the bones' parts cover places (B, N), in [0, 1]."""
    start, vector, there = _bones(points, bones[0])
    ratio = _distance(*_along(grid, start, vector), vector) / (bones[1].to(unit) * unit).unsqueeze(-1)
    return _edge(ratio.masked_fill(~there.unsqueeze(-1), torch.inf).amin(1))


def _edge(ratio: Tensor) -> Tensor:
    return torch.sigmoid((1 - ratio) / EDGE)


def _arm(side: int, source: Tensor, target: Tensor, grid: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """Where an arm's places (B, N, 2) come from, pixels, and how much of it is at them (B, N)."""
    bones, widths = _arm_bones(side)
    start, vector, there = _bones(target, bones)
    own_start, own_vector, own_there = _bones(source, bones)
    ratio = _distance(*_along(grid, start, vector), vector) / (widths.to(unit) * unit).unsqueeze(-1)
    ratio = ratio.masked_fill(~(there & own_there).unsqueeze(-1), 1e4)
    weights = torch.softmax(-BLEND * ratio.square().clamp(max=1e4), 1)
    # The blend of affine maps is the affine map of the blended numbers.
    blended = torch.einsum("bpn,bpij->bnij", weights, _affine(start, vector, own_start, own_vector))
    return (blended[..., :2] @ grid.unsqueeze(-1)).squeeze(-1) + blended[..., 2], _edge(ratio.amin(1))


def _affine(start: Tensor, vector: Tensor, own_start: Tensor, own_vector: Tensor) -> Tensor:
    """Affine maps (B, P, 2, 3) that carry bones onto other bones: along them they stretch, across they do not."""
    frame, own_frame = _frame(vector), _frame(own_vector)
    matrix = own_frame @ torch.linalg.inv(frame)
    return torch.cat([matrix, own_start.unsqueeze(-1) - matrix @ start.unsqueeze(-1)], -1)


def _frame(vector: Tensor) -> Tensor:
    """Matrices (B, P, 2, 2) of a bone's vector and of the unit vector across it, as columns."""
    length = vector.norm(dim=-1, keepdim=True)
    vector = torch.where(length > 1e-3, vector, vector.new_tensor([1.0, 0.0]))
    across = vector / vector.norm(dim=-1, keepdim=True)
    return torch.stack([vector, torch.stack([-across[..., 1], across[..., 0]], -1)], -1)


def _body(source: Tensor, target: Tensor, grid: Tensor, unit: Tensor) -> Tensor:
    """Where the body's places (B, N, 2) come from, pixels."""
    torso, torso_weight = _torso(source, target, grid, unit)
    head, head_weight = _head(source, target, grid)
    moved = torso_weight.unsqueeze(-1) * (torso - grid) + head_weight.unsqueeze(-1) * (head - grid)
    return grid + moved / (torso_weight + head_weight + STILL).unsqueeze(-1)


def _torso(source: Tensor, target: Tensor, grid: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """Places (B, N, 2) moved with the line of the shoulders, and weights (B, N): high below that line."""
    bone = torch.tensor([SHOULDERS])
    start, vector, there = _bones(target, bone)
    own_start, own_vector, own_there = _bones(source, bone)
    affine = _affine(start, vector, own_start, own_vector)[:, 0]
    places = grid @ affine[..., :2].transpose(1, 2) + affine[:, None, :, 2]
    middle = start + vector / 2
    direction = vector / vector.norm(dim=-1, keepdim=True).clamp(min=1e-3)
    down = torch.stack([-direction[..., 1], direction[..., 0]], -1) * DOWN * unit.unsqueeze(-1)
    down = torch.where(down[..., 1:] < 0, -down, down)
    beyond = (_distance(*_along(grid, middle, down), down)[:, 0] / unit - TORSO).clamp(min=0)
    weights = torch.exp(-0.5 * (beyond / TORSO_EDGE).square()) * (there & own_there)
    return places, weights


def _head(source: Tensor, target: Tensor, grid: Tensor) -> tuple[Tensor, Tensor]:
    """Places (B, N, 2) moved with the face and its points, and weights (B, N): high on head and hair."""
    before, after = source[:, FACE], target[:, FACE]
    shown = ((before[..., 2] > 0) & (after[..., 2] > 0)).float().unsqueeze(-1)  # (B, 68, 1)
    count = shown.sum(1, keepdim=True).clamp(min=1)
    centres = [(points[..., :2] * shown).sum(1, keepdim=True) / count for points in (before, after)]
    own, new = (points[..., :2] - centre for points, centre in zip((before, after), centres, strict=True))
    turn = _similarity(new * shown, own * shown)  # from target to source
    rotated = new @ turn.transpose(1, 2)
    width = _face_width(new * shown, count[:, 0])
    offset = grid - centres[1]
    places = offset @ turn.transpose(1, 2) + centres[0]
    near = torch.cdist(grid.expand(len(after), -1, -1), after[..., :2]) / (FACE_REACH * width).unsqueeze(-1)
    pull = torch.exp(-0.5 * near.square()) * shown.transpose(1, 2)  # (B, N, 68)
    places = places + pull @ (own - rotated) / (pull.sum(-1, keepdim=True) + 0.3)
    # The head reaches farther above the face's points than below.
    above = offset + torch.stack([torch.zeros_like(width), RISE * width], -1)
    beyond = (above.norm(dim=-1) / width - HEAD).clamp(min=0)
    weights = torch.exp(-0.5 * (beyond / HEAD_EDGE).square()) * (shown.sum((1, 2)) >= FACE_POINTS).float().view(-1, 1)
    return places, weights


def _head_coverage(points: Tensor, grid: Tensor) -> Tensor:
    """How much the head with its hair covers places (B, N), in [0, 1]."""
    face = points[:, FACE]
    shown = (face[..., 2:] > 0).float()
    count = shown.sum(1, keepdim=True).clamp(min=1)
    centre = (face[..., :2] * shown).sum(1, keepdim=True) / count
    width = _face_width((face[..., :2] - centre) * shown, count[:, 0])
    offset = grid - centre + torch.stack([torch.zeros_like(width), RISE * width], -1)
    ratio = (offset / (width.unsqueeze(-1) * grid.new_tensor(HEAD_SIZE))).norm(dim=-1)
    return _edge(ratio) * (shown.sum((1, 2)) >= FACE_POINTS).float().view(-1, 1)


def _face_width(points: Tensor, count: Tensor) -> Tensor:
    """About the width (B, 1), pixels, of a face with centred points (B, 68, 2), `count` (B, 1) of which are there."""
    return (points.square().sum((1, 2)).unsqueeze(-1) / count).sqrt().clamp(min=1) * 2.2


def _similarity(points: Tensor, goal: Tensor) -> Tensor:
    """The turn and scale (B, 2, 2) that carries centred points (B, K, 2) nearest to the goal's, by least squares."""
    size = points.square().sum((1, 2)).clamp(min=1e-3)
    cosine = (points * goal).sum((1, 2)) / size
    sine = (points[..., 0] * goal[..., 1] - points[..., 1] * goal[..., 0]).sum(1) / size
    return torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
