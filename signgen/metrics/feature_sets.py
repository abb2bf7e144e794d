"""What is kept of a set of features, the distances between two such sets, and the files that hold them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from signgen.errors import UserError, one_line
from signgen.io.atomic_files import atomic_path
from signgen.io.limits import check_archive


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


@dataclass(frozen=True)
class FeatureSet:
    """Mean (D,) and covariance (D, D) of features, and some of them, (N, D)."""

    mean: Tensor
    covariance: Tensor
    kept: Tensor

    def frechet_distance(self, other: "FeatureSet") -> Tensor:
        """See `frechet_distance`."""
        return frechet_distance(self.mean, self.covariance, other.mean.to(self.mean), other.covariance.to(self.mean))

    def kernel_distance(self, other: "FeatureSet") -> Tensor:
        """See `kernel_distance`; NaN where features were not kept."""
        return kernel_distance(self.kept, other.kept.to(self.kept))

    def write(self, path: Path, network: str, count: int) -> None:
        """As an .npz of `mu` and `sigma`, as pytorch-fid writes and reads, with `kept`, `network` and `count`."""
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.savez(
                file,
                mu=self.mean.cpu().numpy(),
                sigma=self.covariance.cpu().numpy(),
                kept=self.kept.cpu().numpy().astype(np.float32),
                network=np.array(network),
                count=np.array(count),
            )

    @classmethod
    def read(cls, path: Path, network: str, size: int) -> "FeatureSet":
        """A file of `write`, or pytorch-fid's, which does not say of which network its features are.

        UserError where it is none, or of another network.
        """
        try:
            check_archive(path)
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except Exception as error:  # numpy and zipfile raise almost anything on broken files
            raise UserError(f"{path}: cannot read features from it ({one_line(error)})") from error
        mean, covariance = arrays.get("mu"), arrays.get("sigma")
        kept = arrays.get("kept", np.zeros((0, size)))
        if mean is None or covariance is None or (mean.shape, covariance.shape) != ((size,), (size, size)):
            raise UserError(f"{path}: it has no mean (mu) and covariance (sigma) of {size} features")
        if str(arrays.get("network", network)) != network:
            raise UserError(f"{path}: features of another network ({arrays['network']})")
        return cls(*(torch.from_numpy(array).double() for array in (mean, covariance, kept)))
