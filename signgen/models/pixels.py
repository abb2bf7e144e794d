"""Between frames (uint8, channels last) and what the networks read (float, channels first)."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from signgen.video.image_arrays import resize_image

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and standard deviation of the channels
CLIP_STATISTICS: Statistics = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET_STATISTICS: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def resize(frames: Tensor, size: tuple[int, int]) -> Tensor:
    """Squash uint8 frames (B, H, W, 3) to `size` (height, width), bicubic with anti-aliasing.

    On a CPU Pillow does it, bit for bit what the published systems feed their encoders; on an accelerator torch does
    it, which differs from Pillow by rounding (at most 2 of 255).
    """
    if tuple(frames.shape[1:3]) == tuple(size):
        return frames
    if frames.device.type == "cpu":
        return torch.from_numpy(np.stack([resize_image(frame, size) for frame in frames.numpy()]))
    images = F.interpolate(frames.movedim(-1, 1).float(), size=size, mode="bicubic", antialias=True)
    return images.round().clamp(0, 255).to(torch.uint8).movedim(1, -1)


def to_images(frames: Tensor) -> Tensor:
    """uint8 frames (B, H, W, 3) -> float images (B, 3, H, W) in [-1, 1]."""
    return frames.movedim(-1, 1).float() / 127.5 - 1


def to_frames(images: Tensor) -> Tensor:
    """Float images (B, 3, H, W) in [-1, 1] -> uint8 frames (B, H, W, 3)."""
    return ((images.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).movedim(1, -1)


def to_pose_maps(frames: Tensor) -> Tensor:
    """uint8 pose maps (B, H, W, 3) -> float (B, 3, H, W) in [0, 1], as the pose encoder reads them."""
    return frames.movedim(-1, 1).float() / 255


def encoder_pixels(frames: Tensor, size: tuple[int, int], statistics: Statistics) -> Tensor:
    """uint8 frames (B, H, W, 3) -> (B, 3, *size) normalised with an encoder's own channel statistics.

    The whole frame is squashed, source and drawing alike: the published code crops one and squashes the other.
    """
    mean, std = (torch.tensor(values, device=frames.device).view(1, 3, 1, 1) for values in statistics)
    return (to_pose_maps(resize(frames, size)) - mean) / std
