"""How much arithmetic a training step is, and how fast the device could do it."""

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from signgen.training.objective import Batch, Objective


def step_flops(objective: Objective, batch: Batch) -> float:
    """Floating-point operations of forward and backward pass for one sample, counted on one sample of the batch."""
    single = {name: values[:1] for name, values in batch.items()}
    with FlopCounterMode(display=False) as counter:
        objective(single)["loss"].backward()
    objective.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


def device_flops(device: torch.device, precision: str) -> float:
    """Floating-point operations a second that a large matrix product reaches on the device at this precision."""
    dtype = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    edge = 1024 if device.type == "cpu" else 8192
    a, b = torch.randn(2, edge, edge, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(4):
        _synchronize(device)
        start = time.perf_counter()
        a @ b
        _synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * edge**3 / best


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
