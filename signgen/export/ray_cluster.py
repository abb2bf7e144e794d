"""Rendering on a Ray cluster: a worker for each GPU (or CPU) of every node, which holds the model.

Orders go to the workers and media come back, so that only the model must be within reach of every node: as a folder
at the same path, an embedded name or a hub id. Files are written by the process that was called.
"""

import logging
import socket
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

from signgen.errors import UserError
from signgen.export.clip_renderer import ClipRenderer, Rendered
from signgen.export.job_inputs import JobInputs
from signgen.export.local_workers import Workers
from signgen.export.settings import ExportSettings
from signgen.runtime.worker_pool import AHEAD

RETRIES = 3  # of an order whose worker, or its node, died


def ray_workers(address: str) -> Workers:
    """Workers on the cluster at `address`, or for "auto" on the one that this machine belongs to.

    Raises UserError where Ray is not installed or there is no cluster, and RuntimeError where an order's workers died
    too often.
    """
    try:
        import ray
    except ImportError as error:
        raise UserError("--ray needs Ray: pip install 'signgen[ray]'") from error
    try:
        if ":" in address and "://" not in address:  # Ray itself tries for minutes
            host, port = address.rsplit(":", 1)
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, ignore_reinit_error=True)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--ray {address}: no cluster there ({reason}); make one with ray start --head") from error
    return partial(_rendered, ray)


def _rendered(ray: Any, settings: ExportSettings, orders: Iterable[JobInputs]) -> Iterator[Rendered]:
    """Renderings as they are done; the orders of a worker that dies go to the others."""
    free = _start_workers(ray, settings)
    waiting, tries = iter(orders), dict[str, int]()
    again: list[JobInputs] = []
    running: dict[Any, tuple[JobInputs, Any]] = {}
    try:
        while True:
            while free and (order := again.pop() if again else next(waiting, None)):
                worker = free.pop()
                running[worker.render.remote(order)] = (order, worker)
            if not running:
                if again:
                    raise RuntimeError(f"all workers died, {len(again)} clips are not rendered: run the command again")
                return
            (done,), _ = ray.wait(list(running))
            order, worker = running.pop(done)
            try:
                yield ray.get(done)
            except (ray.exceptions.RayActorError, ray.exceptions.ObjectLostError) as error:
                tries[order.name] = tries.get(order.name, 0) + 1
                if tries[order.name] > RETRIES:
                    raise RuntimeError(f"{order.name}: {RETRIES + 1} workers died of it") from error
                again.append(order)
                # A dead worker holds no slots: this one was counted once for each.
            else:
                free.insert(0, worker)
    finally:
        for worker in {id(worker): worker for worker in [*free, *(w for _, w in running.values())]}.values():
            ray.kill(worker)


def _start_workers(ray: Any, settings: ExportSettings) -> list[Any]:
    """Each worker AHEAD times: it is given so many orders at once, of which all but one wait."""
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    count = gpus or int(resources.get("CPU", 0))
    if not count:
        raise UserError("the Ray cluster has neither GPUs nor CPUs")
    options = {"num_gpus": 1} if gpus else {"num_cpus": 1}
    remote = ray.remote(**options)(ClipRenderer)
    workers = [remote.remote(settings, "cuda" if gpus else "cpu") for _ in range(count)]
    return workers * AHEAD
