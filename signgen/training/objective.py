"""What a training objective is: a module that turns a batch into a loss."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.metrics.ssim import image_ssim
from signgen.poses.skeletons import COCO_WHOLEBODY

Batch = dict[str, Tensor]


class Objective(nn.Module, ABC):
    """Trainable parts, frozen parts and a loss.

    size: (height, width) of the images it takes. noise_count: standard normal numbers that a sample brings along,
    so that a sample's noise depends on the sample alone and not on batch size, process or resumption. source_pose:
    whether it needs the source's own pose. coarse: folder of the pairs' coarse images, if it needs these.
    whole_batch: whether its loss is one of all of a step's samples together, not a mean over them. skeleton: whose
    pose maps it is shown, which the training finds in the corpus.
    Constructors take the settings of the training and `weights`: whether to load the weights that they name; without
    them only sizes matter.
    """

    size: tuple[int, int]
    noise_count: int = 0
    source_pose: bool = False
    whole_batch: bool = False
    skeleton: str = COCO_WHOLEBODY
    _expected: tuple[str, str] | None = None
    coarse: Path | None = None

    @abstractmethod
    def trainable(self) -> dict[str, nn.Module]:
        """The parts that are trained, by name. All others are frozen: no gradient, always in eval mode."""

    @abstractmethod
    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """`loss` and other scalars to log, of a batch of PairDataset samples. It changes nothing in the objective."""

    def observe(self, values: dict[str, Tensor]) -> None:
        """Take note of a step: means of what `forward` gave, over all of its samples. By default there is no need."""

    def expect_skeleton(self, model: str, skeleton: str) -> None:
        """Take note of a model that is trained on, and of the pose maps that it knows."""
        self._expected = (model, skeleton)

    def use_skeleton(self, skeleton: str) -> None:
        """Take note of the corpus's skeleton. Raises UserError where a part was trained on other pose maps, or where
        the
        settings weigh hands and faces that it lacks."""
        if self._expected and self._expected[1] != skeleton:
            model, other = self._expected
            raise UserError(f"{model} was trained on pose maps of {other}, the corpus has poses of {skeleton}")
        settings = getattr(self, "settings", None)
        if skeleton != COCO_WHOLEBODY and any(getattr(settings, region, 0.0) > 0 for region in ("hands", "face")):
            raise UserError(f"poses of {skeleton} have neither hands nor faces to weigh: set hands=0 face=0")
        self.skeleton = skeleton

    @abstractmethod
    def sample(self, batch: Batch) -> np.ndarray | None:
        """An image uint8 (H, W, 3) of what the model makes of a batch, or None where there is nothing to see."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the trained parts as a model folder."""

    def train(self, mode: bool = True) -> "Objective":
        """Switch the trained parts to training mode; frozen parts stay in eval mode, their dropout off."""
        super().train(False)
        self.training = mode
        for module in self.trainable().values():
            module.train(mode)
        return self

    def freeze(self) -> None:
        """Switch gradients off for every parameter that is not trained."""
        self.requires_grad_(False)
        for module in self.trainable().values():
            module.requires_grad_(True)

    def parameters_to_train(self) -> list[nn.Parameter]:
        return [parameter for module in self.trainable().values() for parameter in module.parameters()]


def image_grid(rows: Iterable[Tensor]) -> np.ndarray:
    """uint8 frames (N, H, W, 3) per row -> one image, a column per sample."""
    return np.concatenate([np.concatenate(list(row.cpu().numpy()), axis=1) for row in rows], axis=0)


def region_weights(
    keypoints: Tensor, size: tuple[int, int], grid: tuple[int, int], hands: float, face: float
) -> Tensor:
    """Loss weights (B, 1, *grid), mean 1: raised by `hands` and `face` where those keypoints (B, 133, 3) are.

    size: (height, width) that the keypoints refer to. Each point raises a disc of about 1/40 of the height.
    """
    rows, columns = (
        (torch.arange(cells, device=keypoints.device) + 0.5) * (pixels / cells)
        for cells, pixels in zip(grid, size, strict=True)
    )
    weights = torch.ones((len(keypoints), *grid), device=keypoints.device)
    for points, amount in ((keypoints[:, 91:], hands), (keypoints[:, 23:91], face)):
        if amount == 0:
            continue
        distance = (points[:, :, None, None, 0] - columns) ** 2 + (points[:, :, None, None, 1] - rows[:, None]) ** 2
        distance = distance.masked_fill(points[:, :, None, None, 2] == 0, torch.inf)
        nearest = distance.amin(dim=1)
        weights = weights + amount * torch.exp(-nearest / (2 * (size[0] / 40) ** 2))
    return (weights / weights.mean(dim=(1, 2), keepdim=True)).unsqueeze(1)


def image_loss(images: Tensor, target: Tensor, weights: Tensor, ssim: float) -> dict[str, Tensor]:
    """`loss` = weighted L1 + ssim (1 - SSIM) of images (B, 3, H, W) in [-1, 1], and the two by name.

    The SSIM is the one that `signgen evaluate` reports.
    weights: (B, 1, h, w), as `region_weights` gives them, of any size.
    """
    error = (F.interpolate(weights, size=images.shape[-2:]) * (images - target).abs()).mean()
    if not ssim:
        return {"loss": error, "l1": error}
    similarity = image_ssim((images + 1) / 2, (target + 1) / 2).mean().float()
    return {"loss": error + ssim * (1 - similarity), "l1": error, "ssim": similarity}
