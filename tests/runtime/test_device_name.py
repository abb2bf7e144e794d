import ctypes
import sys

import pytest

from signgen.errors import UserError
from signgen.runtime import device_name
from signgen.runtime.device_name import check_device


@pytest.fixture(autouse=True)
def _asked_anew() -> None:
    device_name._without_cuda.cache_clear()


@pytest.mark.parametrize("name", ["auto", "cpu", "cpu:0", "xpu:1"])
def test_what_may_be_here_is_left_to_torch(name: str) -> None:
    check_device(name)


@pytest.mark.parametrize("name", ["", "gpu", "CPU", "cuda:", "cuda:x", "cuda:-1", "cpu 0"])
def test_a_wrong_name_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="cannot be used here: choose auto, cpu, cuda"):
        check_device(name)


def test_a_build_without_cuda_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_name, "_torch_build", lambda: {"__version__": "9+cpu", "cuda": None})
    with pytest.raises(UserError, match=r"torch 9\+cpu is built without CUDA"):
        check_device("cuda:1")


def test_without_a_driver_there_is_no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_name, "_torch_build", lambda: {"__version__": "9", "cuda": "13.0"})
    monkeypatch.setattr(device_name, "DRIVER", "libno-such-driver.so.1")
    with pytest.raises(UserError, match="no NVIDIA driver"):
        check_device("cuda")
    device_name._without_cuda.cache_clear()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: None)
    check_device("cuda")


def test_the_build_is_read_as_torch_says_it() -> None:
    import torch

    build = device_name._torch_build()
    assert (build["__version__"], build["cuda"]) == (torch.__version__, torch.version.cuda)


@pytest.mark.skipif(sys.platform == "darwin", reason="Macs have it")
def test_metal_is_of_macs() -> None:
    with pytest.raises(UserError, match="only Macs"):
        check_device("mps")
