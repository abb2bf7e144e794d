"""Composition: how much of each place of a frame is transported from the first frame, and how much is generated.

A small network sees what the denoiser made, the transported layers and both poses. It weighs the three layers and the
generated image against each other, pixel by pixel, and corrects the generated one, whose colours may be off. The
weights apply at any resolution: layers taken from a large first frame stay as sharp as it is.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from signgen.models.first_frame import MovedFrame
from signgen.models.transport import enlarged

LAYERS = 3  # body, left arm, right arm
NOTHING = 0.03  # weights up to this are none: what is transported is then an exact copy
# generated, layers, transported - generated, shown arms and hidden, both pose maps
INPUTS = 3 + 3 * LAYERS + 3 + LAYERS + 6


@dataclass
class Composed:
    """weights: (B, 4, H, W), adding up to 1, of the transported layers and, last, the generated image. generated:
    (B, 3, H, W), the corrected one."""

    weights: Tensor
    generated: Tensor

    def over(self, layers: Tensor) -> Tensor:
        """The frame (B, 3, h, w) of transported layers (B, 3, 3, h, w) of any size."""
        size = (layers.shape[-2], layers.shape[-1])
        weights, generated = (_resized(values, size) for values in (self.weights, self.generated))
        images = torch.cat([layers, generated.unsqueeze(1).to(layers.dtype)], dim=1)
        return (weights.unsqueeze(2).to(layers.dtype) * images).sum(1)


class Composition(ModelMixin, ConfigMixin):
    """channels: at half resolution. deep_channels: at a quarter, where the dilated blocks are. groups: of the norms."""

    @register_to_config
    def __init__(
        self, channels: int = 16, deep_channels: int = 48, dilations: tuple[int, ...] = (1, 2, 4), groups: int = 8
    ) -> None:
        super().__init__()
        self.enter = nn.Conv2d(INPUTS, channels, 2, stride=2)
        self.down = nn.Conv2d(channels, deep_channels, 3, stride=2, padding=1)
        self.deep = nn.Sequential(*(Block(deep_channels, groups, dilation) for dilation in dilations))
        self.up = nn.Conv2d(deep_channels, 4 * channels, 1)
        self.fine = nn.Sequential(Block(channels, groups), Block(channels, groups))
        self.leave = nn.Conv2d(channels, 4 * (LAYERS + 1 + 3), 3, padding=1)
        for parameter in self.leave.parameters():
            nn.init.zeros_(parameter)

    def forward(self, generated: Tensor, moved: MovedFrame, target: Tensor, source: Tensor) -> Composed:
        """generated: (B, 3, H, W) in about [-1, 1]. moved: the transported source, of that size. target, source: pose
        maps (B, 3, H, W) in [0, 1], the source's perhaps of one row."""
        height, width = generated.shape[-2:]
        maps = enlarged(torch.cat([moved.transport.shown[:, 1:], moved.transport.hidden], 1), (height, width))
        source = source.expand_as(target)
        given = [generated, moved.layers.flatten(1, 2), moved.image - generated, maps, target, source]
        images = torch.cat([values.to(self.dtype) for values in given], 1)
        images = F.pad(images, (0, -width % 4, 0, -height % 4), mode="replicate")
        hidden = self.enter(images)
        deep = self.up(self.deep(self.down(F.silu(hidden))))
        output = self.leave(F.silu(self.fine(hidden + F.pixel_shuffle(deep, 2))))
        output = F.pixel_shuffle(output, 2)[..., :height, :width].float()
        scores, correction = output.split([LAYERS + 1, 3], dim=1)
        weights = (torch.softmax(scores + _prior(maps), dim=1) - NOTHING).clamp(min=0)
        return Composed(weights / weights.sum(1, keepdim=True), generated.float() + correction)


def _prior(maps: Tensor) -> Tensor:
    """Scores (B, 4, H, W) that training starts from: arms where arms are shown, generated where the source hides."""
    left, right, hidden = maps.float().unbind(1)
    return torch.stack([torch.zeros_like(left), 4 * left - 2, 4 * right - 2, 4 * hidden - 2], 1)


def _resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    return values if tuple(values.shape[-2:]) == size else F.interpolate(values, size, mode="bilinear")


class Block(nn.Module):
    """A residual block of two convolutions, the first dilated."""

    def __init__(self, channels: int, groups: int, dilation: int = 1) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(groups, channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, channels, h, w) -> the same."""
        return hidden + self.second(F.silu(self.first(F.silu(self.norm(hidden)))))
