"""A step's batch, shared by processes and, where a device does not hold its share, taken in several parts."""

from dataclasses import dataclass

from signgen.errors import UserError
from signgen.training.objective import Objective
from signgen.training.settings import TrainingSettings


@dataclass(frozen=True)
class BatchShares:
    """batch_size = processes x accumulation x device_batch samples make a step."""

    processes: int
    accumulation: int
    device_batch: int

    def __str__(self) -> str:
        return f"{self.processes} process(es) x {self.accumulation} part(s) x {self.device_batch} sample(s)"


def share_batch(settings: TrainingSettings, processes: int, objective: type[Objective]) -> BatchShares:
    """Who takes how many samples of a step: as few parts as `device_batch` allows.

    Raises UserError where the batch cannot be shared evenly, or the objective contrasts all of its samples at once and
    it must be taken in parts.
    """
    share, rest = divmod(settings.batch_size, processes)
    if rest:
        raise UserError(
            f"a batch of {settings.batch_size} cannot be shared evenly by {processes} processes: "
            f"set batch_size to a multiple of {processes}"
        )
    most = settings.device_batch or share
    device_batch = next(size for size in range(min(most, share), 0, -1) if share % size == 0)
    if objective.whole_batch and device_batch < share:
        raise UserError(
            f"this training contrasts all {settings.batch_size} samples of a step: a device must take its {share} at "
            f"a time, not {device_batch}; leave out device_batch, use more processes or set gradient_checkpointing=true"
        )
    return BatchShares(processes, share // device_batch, device_batch)
