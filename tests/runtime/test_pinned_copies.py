import numpy as np
import pytest
import torch

from signgen.runtime.pinned_copies import to_device, to_host

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")),
]


@pytest.mark.parametrize("device", DEVICES)
def test_there_and_back(device: str) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    values.flags.writeable = False
    there = to_device(values, torch.device(device))
    assert there.device.type == device
    assert np.array_equal(to_host(there)(), values)
    assert to_device(there, torch.device(device)) is there
