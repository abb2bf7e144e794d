"""The first frame as the networks see it: transported to a pose, as latents to start from and as known channels."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from signgen.models.autoencoder import downscale
from signgen.models.colour_autoencoder import ColourAutoencoder
from signgen.models.source_colours import background, skin
from signgen.models.transport import Transport, composed, cover, enlarged, layers, transport

REDUCED = 2  # the denoiser reads the transported image at half its resolution
MAPS = 3  # left arm, right arm, hidden


@dataclass
class FirstFrame:
    """What is known of source frames, once per video.

    image, behind: (B, 3, H, W) in [-1, 1], the frame and its background without arms and head. covered: (B, 2, h, w),
    where these are. skin: (B, 3, 1, 1), the face's colour, and face: (B, 1, 1, 1), 1 where there is one, else 0.
    keypoints: (B, 133, 3), the source's pose in pixels of it. pose_map: (B, 3, H, W) in [0, 1].
    """

    image: Tensor
    behind: Tensor
    covered: Tensor
    skin: Tensor
    face: Tensor
    keypoints: Tensor
    pose_map: Tensor

    @classmethod
    def of(cls, image: Tensor, keypoints: Tensor, pose_map: Tensor) -> "FirstFrame":
        """images (B, 3, H, W), their keypoints (B, 133, 3) and pose maps (B, 3, H, W)."""
        size = (image.shape[-2], image.shape[-1])
        covered = cover(keypoints, size)
        return cls(image, background(image, covered), covered, *skin(image, keypoints), keypoints, pose_map)

    def moved_to(self, keypoints: Tensor) -> "MovedFrame":
        """The frame transported to target keypoints (B, 133, 3)."""
        size = (self.image.shape[-2], self.image.shape[-1])
        moved = transport(self.keypoints, keypoints, size, self.covered)
        parts = layers(self.image, self.behind, moved, size)
        # A hand that the source does not show has the colour of the face.
        bare = self.face * enlarged(moved.bare, size)
        return MovedFrame(moved, parts, torch.lerp(composed(parts, moved), self.skin, bare))


@dataclass
class MovedFrame:
    """A transported first frame: its transport, its layers (B, 3, 3, H, W) and these composed, (B, 3, H, W), with hands
    that the source does not show in the colour of the face."""

    transport: Transport
    layers: Tensor
    image: Tensor

    def start(self, vae: ColourAutoencoder) -> Tensor:
        """Latents (B, C, h, w) that sampling starts from: the transported image's colours."""
        return vae.colour_latents(self.image)

    def known(self, vae: ColourAutoencoder) -> Tensor:
        """Known channels (B, `known_channels`, h, w): blocks of the transported image, and the maps."""
        scale = downscale(vae)
        height, width = self.image.shape[-2:]
        padding = (0, -width % scale, 0, -height % scale)
        image = F.pad(self.image, padding, mode="replicate")
        blocks = F.pixel_unshuffle(F.avg_pool2d(image, REDUCED), scale // REDUCED)
        maps = torch.cat([self.transport.shown[:, 1:], self.transport.hidden], 1)
        maps = F.pad(enlarged(maps, (height, width)), padding, mode="replicate")
        return torch.cat([blocks, F.avg_pool2d(maps, scale).to(blocks)], 1)


def known_channels(vae: ColourAutoencoder) -> int:
    """How many channels `MovedFrame.known` has."""
    return 3 * (downscale(vae) // REDUCED) ** 2 + MAPS
