"""A composed frame at the first frame's own size, computed only where something moves or is generated.

The same arithmetic as `Composed.over` on the layers of a large image, but each source of colour is looked up only in
the box where it has weight; where nothing moves and nothing is generated, the first frame itself is the result.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from signgen.models.composition import Composed
from signgen.models.transport import Transport

UNMOVED = 1e-3  # pixels of the large image


@dataclass(frozen=True)
class Box:
    """Rows from `top` on and before `bottom`, columns from `left` on and before `right`, of an image."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def around(cls, where: Tensor, size: tuple[int, int]) -> "Box | None":
        """The box of an image of `size` around where a small map (h, w) is true, a cell wider; None: nowhere."""
        spans = []
        for axis, length in enumerate(size):
            found = where.any(1 - axis).nonzero().flatten()
            if not len(found):
                return None
            scale = length / where.shape[axis]
            first, last = int((int(found[0]) - 1) * scale), int((int(found[-1]) + 2) * scale) + 1
            spans += [max(0, first), min(length, last)]
        return cls(*spans)


def composed_at_size(made: Composed, moved: Transport, image: Tensor, behind: Tensor) -> Tensor:
    """Frames (B, 3, H, W) of a source image (1, 3, H, W) and its background, of any size."""
    frames = [_frame(made, moved, row, image, behind) for row in range(len(made.weights))]
    return torch.cat(frames)


def _frame(made: Composed, moved: Transport, row: int, image: Tensor, behind: Tensor) -> Tensor:
    size = (image.shape[-2], image.shape[-1])
    small = (made.weights.shape[-2], made.weights.shape[-1])
    weights, shifts = made.weights[row], moved.shifts[row].float()
    hidden = F.interpolate(moved.hidden[row : row + 1], small, mode="bilinear", align_corners=True)[0]
    stays = F.interpolate(_still(shifts[:2], size)[None], small)[0] > 0
    changed = Box.around((weights[0] < 1) | (hidden[0] > 0) | ~stays[0], size)
    frame = image.clone()
    if changed is None:
        return frame
    shares = torch.cat([weights[:1] * (1 - hidden), weights[:1] * hidden, weights[1:]])
    sources = ((image, 0), (behind, 0), (image, 2), (image, 4))
    frame[..., changed.top : changed.bottom, changed.left : changed.right] = 0
    for number, share in enumerate(shares):
        box = changed if number == 0 else Box.around(share > 0, size)
        if box is None:
            continue
        if number < len(sources):
            source, first = sources[number]
            colours = _looked_up(source, shifts[first : first + 2], box)
        else:
            colours = _part(made.generated[row], box, size, aligned=False)[None]
        part = frame[..., box.top : box.bottom, box.left : box.right]
        part += colours * _part(share[None], box, size, aligned=False)
    return frame


def _still(shifts: Tensor, size: tuple[int, int]) -> Tensor:
    """Where shifts (2, h, w), shares of width and height, move nothing: (1, h, w), 1 or 0."""
    pixels = shifts.abs() * shifts.new_tensor([size[1], size[0]]).view(2, 1, 1)
    return (pixels < UNMOVED).all(0, keepdim=True).float()


def _looked_up(source: Tensor, shifts: Tensor, box: Box) -> Tensor:
    """Colours (1, 3, h, w) for a box, of a source image (1, 3, H, W) moved by shifts (2, h', w')."""
    height, width = source.shape[-2:]
    rows = (torch.arange(box.top, box.bottom, device=source.device) + 0.5) / height
    columns = (torch.arange(box.left, box.right, device=source.device) + 0.5) / width
    own = torch.stack([columns.expand(len(rows), -1), rows.unsqueeze(1).expand(-1, len(columns))])
    places = (own + _part(shifts, box, (height, width), aligned=True)).movedim(0, -1)[None]
    return F.grid_sample(source, 2 * places - 1, padding_mode="border", align_corners=False)


def _part(values: Tensor, box: Box, size: tuple[int, int], aligned: bool) -> Tensor:
    """A box of maps (C, h, w) enlarged to `size`, bilinear: the same as that part of the enlarged maps.

    aligned: whether the maps' first and last cells lie on the first and last pixels.
    """
    rows = _interpolation(values.shape[1], size[0], box.top, box.bottom, aligned).to(values)
    columns = _interpolation(values.shape[2], size[1], box.left, box.right, aligned).to(values)
    return rows @ values @ columns.T


def _interpolation(cells: int, length: int, start: int, stop: int, aligned: bool) -> Tensor:
    """The matrix (stop - start, cells) that interpolates cells linearly at some of `length` pixels."""
    pixels = torch.arange(start, stop, dtype=torch.float64)
    if aligned:
        places = pixels * (cells - 1) / max(length - 1, 1)
    else:
        places = ((pixels + 0.5) * cells / length - 0.5).clamp(0, cells - 1)
    below = places.floor().clamp(max=max(cells - 2, 0)).long()
    share = places - below
    matrix = torch.zeros(len(pixels), cells, dtype=torch.float64)
    index = torch.arange(len(pixels))
    matrix[index, below] = 1 - share
    matrix[index, (below + 1).clamp(max=cells - 1)] += share
    return matrix
