"""Copies between the host's memory and a device. On CUDA they go through pinned memory, so that neither side waits."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def to_device(values: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """The same values on the device; an array is copied, for decoded frames may be read-only, which torch warns of."""
    tensor = torch.tensor(values) if isinstance(values, np.ndarray) else values
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def to_host(tensor: Tensor) -> Callable[[], np.ndarray]:
    """Begin to copy a tensor to the host. Returns a function that waits for the copy and gives it as an array."""
    if tensor.device.type != "cuda":
        return tensor.cpu().numpy
    copy = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record(torch.cuda.current_stream(tensor.device))

    def array() -> np.ndarray:
        arrived.synchronize()
        return copy.numpy()

    return array
