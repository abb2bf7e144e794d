"""Inception v3 (Szegedy et al. 2016) up to its 2048 pooled features, in the two forms that FID is computed with.

TensorFlow's network of 2015 (pytorch-fid's weights) averages without the padding and pools the last block by maximum;
torchvision's (weights of 2018) does neither. The names of the parameters are those of both files.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from signgen.errors import UserError
from signgen.metrics.network_weights import read_state_dict

# A layer is its name, outputs, kernel and stride (1 if not given); two layers in a list take the same input.
Layer = tuple
Branch = list
UNUSED = ("AuxLogits.", "fc.")  # behind the pooled features


def _a(pooled: int) -> tuple[list[Branch], int]:
    doubled = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3)]
    return [[("branch1x1", 64, 1)], [("branch5x5_1", 48, 1), ("branch5x5_2", 64, 5)], doubled], pooled


def _b() -> tuple[list[Branch], int]:
    doubled = [("branch3x3dbl_1", 64, 1), ("branch3x3dbl_2", 96, 3), ("branch3x3dbl_3", 96, 3, 2)]
    return [[("branch3x3", 384, 3, 2)], doubled], 0


def _c(inner: int) -> tuple[list[Branch], int]:
    row, column = (1, 7), (7, 1)
    single = [("branch7x7_1", inner, 1), ("branch7x7_2", inner, row), ("branch7x7_3", 192, column)]
    doubled: Branch = [("branch7x7dbl_1", inner, 1), ("branch7x7dbl_2", inner, column), ("branch7x7dbl_3", inner, row)]
    doubled += [("branch7x7dbl_4", inner, column), ("branch7x7dbl_5", 192, row)]
    return [[("branch1x1", 192, 1)], single, doubled], 192


def _d() -> tuple[list[Branch], int]:
    long: Branch = [("branch7x7x3_1", 192, 1), ("branch7x7x3_2", 192, (1, 7)), ("branch7x7x3_3", 192, (7, 1))]
    return [[("branch3x3_1", 192, 1), ("branch3x3_2", 320, 3, 2)], [*long, ("branch7x7x3_4", 192, 3, 2)]], 0


def _e() -> tuple[list[Branch], int]:
    def split(name: str) -> list[Layer]:
        return [(f"{name}a", 384, (1, 3)), (f"{name}b", 384, (3, 1))]

    doubled: Branch = [("branch3x3dbl_1", 448, 1), ("branch3x3dbl_2", 384, 3), split("branch3x3dbl_3")]
    return [[("branch1x1", 320, 1)], [("branch3x3_1", 384, 1), split("branch3x3_2")], doubled], 192


STEM = {
    "Conv2d_1a_3x3": (3, 32, 3, 2, 0),
    "Conv2d_2a_3x3": (32, 32, 3, 1, 0),
    "Conv2d_2b_3x3": (32, 64, 3, 1, 1),
    "Conv2d_3b_1x1": (64, 80, 1, 1, 0),
    "Conv2d_4a_3x3": (80, 192, 3, 1, 0),
}
POOLED_AFTER = ("Conv2d_2b_3x3", "Conv2d_4a_3x3")
MIXED = {
    "Mixed_5b": (192, _a(32)),
    "Mixed_5c": (256, _a(64)),
    "Mixed_5d": (288, _a(64)),
    "Mixed_6a": (288, _b()),
    "Mixed_6b": (768, _c(128)),
    "Mixed_6c": (768, _c(160)),
    "Mixed_6d": (768, _c(160)),
    "Mixed_6e": (768, _c(192)),
    "Mixed_7a": (768, _d()),
    "Mixed_7b": (1280, _e()),
    "Mixed_7c": (2048, _e()),
}


class InceptionV3(nn.Module):
    """(N, 3, 299, 299), in whatever range its weights were made for, -> features (N, 2048)."""

    def __init__(self, tensorflow: bool) -> None:
        super().__init__()
        for name, unit in STEM.items():
            self.add_module(name, _Unit(*unit))
        for name, (inputs, (branches, pooled)) in MIXED.items():
            largest = tensorflow and name == "Mixed_7c"
            self.add_module(name, _Mixed(inputs, branches, pooled, padded=not tensorflow, largest=largest))

    def forward(self, images: Tensor) -> Tensor:
        for name, module in self.named_children():
            images = module(images)
            if name in POOLED_AFTER:
                images = functional.max_pool2d(images, 3, 2)
        return images.mean((2, 3))


class _Unit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int | tuple[int, int], stride: int, padding: object) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)  # type: ignore[arg-type]
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class _Mixed(nn.Module):
    """Branches whose outputs are concatenated, the last one a pooling: averaged and convolved to `pooled` outputs."""

    def __init__(self, inputs: int, branches: Sequence[Branch], pooled: int, padded: bool, largest: bool) -> None:
        super().__init__()
        self.branches, self.pooled, self.padded, self.largest = branches, pooled, padded, largest
        for branch in branches:
            width = inputs
            for step in branch:
                layers = step if isinstance(step, list) else [step]
                for name, outputs, kernel, *stride in layers:
                    sides = kernel if isinstance(kernel, tuple) else (kernel, kernel)
                    padding = 0 if stride else tuple(side // 2 for side in sides)
                    self.add_module(name, _Unit(width, outputs, kernel, stride[0] if stride else 1, padding))
                width = layers[0][1]
        if pooled:
            self.branch_pool = _Unit(inputs, pooled, 1, 1, 0)

    def forward(self, x: Tensor) -> Tensor:
        found = [self._branch(x, branch) for branch in self.branches]
        return torch.cat([*found, self._pool(x)], 1)

    def _branch(self, x: Tensor, branch: Branch) -> Tensor:
        for step in branch:
            layers = step if isinstance(step, list) else [step]
            x = torch.cat([self.get_submodule(layer[0])(x) for layer in layers], 1)
        return x

    def _pool(self, x: Tensor) -> Tensor:
        if not self.pooled:
            return functional.max_pool2d(x, 3, 2)
        if self.largest:
            return self.branch_pool(functional.max_pool2d(x, 3, 1, 1))
        return self.branch_pool(functional.avg_pool2d(x, 3, 1, 1, count_include_pad=self.padded))


def load_inception(path: Path, tensorflow: bool) -> InceptionV3:
    """The network with the weights of pytorch-fid's or torchvision's file. UserError where it is another file."""
    network = InceptionV3(tensorflow).requires_grad_(False).eval()
    weights = {name: tensor for name, tensor in read_state_dict(path).items() if not name.startswith(UNUSED)}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        maker = "pytorch-fid" if tensorflow else "torchvision"
        raise UserError(
            f"{path}: not {maker}'s weights of Inception v3 ({str(error).splitlines()[-1].strip()})"
        ) from error
    return network
