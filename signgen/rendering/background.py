"""The background of a rendered frame: what the first frame shows there may stand still, and then does not flicker."""

import torch
from torch import Tensor
from torch.nn import functional as F

from signgen.metrics.temporal import BLOCK, away_from_pose

MARGIN = 1 / 8  # of the width around the drawn pose is left to the model: torso, hair and clothes are there
AGREEMENT = 12.0  # levels of 255


def locked_background(generated: Tensor, source: Tensor, drawings: Tensor) -> Tensor:
    """How much of the first frame is to stand in place of the generated frames: uint8 (B, H, W), 255 all.

    Away from a frame's own pose, where both pictures agree, block by block: a difference of up to 12 levels is the
    model's inaccuracy, one of 24 is something else. So the signer of the first frame does not stay behind where the
    rendered one has moved away, although nothing need be known of the pose in the first frame. What the model renders
    as moved or changed, such as the view of a moving camera, stays as rendered.

    generated, drawings: uint8 (B, H, W, 3). source: uint8 (H, W, 3).
    """
    height, width = generated.shape[1:3]
    difference = F.avg_pool2d((generated.float() - source.float()).movedim(-1, 1), BLOCK, ceil_mode=True)
    difference = difference.abs().amax(1, keepdim=True)
    # The worst of the neighbourhood: feathering is not to reach into what differs.
    agreement = (2 - F.max_pool2d(difference, 5, 1, 2) / AGREEMENT).clamp(0, 1)
    weights = agreement * away_from_pose(drawings, MARGIN)[:, None]
    weights = F.avg_pool2d(weights, 3, 1, 1, count_include_pad=False)
    weights = F.interpolate(weights, scale_factor=BLOCK, mode="bilinear")[:, 0, :height, :width]
    return (255 * weights).round().to(torch.uint8)
