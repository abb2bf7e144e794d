"""How fast a training goes: samples a second, and the share of the devices' arithmetic."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from torch.utils.flop_counter import FlopCounterMode

from signgen.training.objective import Batch, Objective


def sample_flops(objective: Objective, batch: Batch) -> float:
    """Floating-point operations of forward and backward pass for one sample, counted on one sample of the batch."""
    single = {name: values[:1] for name, values in batch.items()}
    with FlopCounterMode(display=False) as counter:
        objective(single)["loss"].backward()
    objective.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


class Speed:
    """Samples a second since the last measurement, and what share of the device's arithmetic they use.

    flops: operations a sample takes; limit: operations a second that the devices are capable of.
    """

    def __init__(self, flops: float, limit: float) -> None:
        self.flops, self.limit = flops, limit
        self.since = time.perf_counter()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done in here is no training, and its time does not count."""
        start = time.perf_counter()
        yield
        self.since += time.perf_counter() - start

    def measure(self, samples: int) -> dict[str, float]:
        now = time.perf_counter()
        rate = samples / (now - self.since)
        self.since = now
        return {"samples_per_second": rate, "flop_utilisation": rate * self.flops / self.limit}
