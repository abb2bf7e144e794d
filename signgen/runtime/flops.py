"""Counts the arithmetic of a call, and measures how fast a device is."""

import time
from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from signgen.runtime.device import synchronize


def count_flops(function: Callable[[], Any]) -> float:
    """Floating-point operations of matrix products, convolutions and attentions in a call; two a multiply-add."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        function()
    return float(counter.get_total_flops())


def device_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second that a large matrix product reaches on the device in this precision."""
    edge = 1024 if device.type == "cpu" else 8192
    a, b = torch.randn(2, edge, edge, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(4):
        synchronize(device)
        start = time.perf_counter()
        a @ b
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * edge**3 / best
