"""The processes that torchrun starts for one command: which is the main one, and what it does for all of them."""

import atexit
import os
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


def process_count() -> int:
    """How many processes torchrun has started for this command; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", 1))


def is_main_process() -> bool:
    """Whether this process is the one that prints and writes."""
    return int(os.environ.get("RANK", 0)) == 0


def by_main_process(work: Callable[[], Result]) -> Result:
    """What `work` gives, which the main process does while the others wait, however long it takes.

    Every process gets the result, or the error that it ended with.
    """
    if process_count() == 1:
        return work()
    import torch.distributed as dist

    group = _patient_group()
    outcome: list[Any] = [None, None]
    if is_main_process():
        try:
            outcome[0] = work()
        except Exception as error:
            outcome[1] = error
    dist.broadcast_object_list(outcome, src=0, group=group)
    dist.barrier(group=group)  # nobody leaves before all have it
    result, problem = outcome
    if problem is not None:
        raise problem
    return result


@cache
def leave_group_at_exit() -> None:
    """Have the group of processes taken down before the interpreter is: at its end the group's threads would abort."""
    import torch.distributed as dist

    atexit.register(lambda: dist.destroy_process_group() if dist.is_initialized() else None)


@cache
def _patient_group() -> Any:
    """The processes as a group that waits for days: what trains on GPUs gives up after minutes."""
    import torch
    import torch.distributed as dist
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())
    leave_group_at_exit()
    return dist.new_group(backend="gloo", timeout=timedelta(days=30))
