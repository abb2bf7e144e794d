"""Who renders orders: this process, a process for each device, or (in `ray_cluster`) a cluster."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice
from typing import Any

import torch

from signgen.export.orders import Order
from signgen.export.renderer import Rendered, Renderer
from signgen.export.settings import ExportSettings

# From orders to renderings, in the order in which they are done.
Workers = Callable[[ExportSettings, Iterable[Order]], Iterator[Rendered]]
AHEAD = 2  # orders for each worker that are prepared and wait: memory stays bounded, no worker does

_renderer: Renderer  # of a worker process


def local_workers(settings: ExportSettings, orders: Iterable[Order]) -> Iterator[Rendered]:
    """Render on the devices of this machine: here if there is one, else in a process for each."""
    devices = local_devices(settings)
    if len(devices) == 1:
        renderer = Renderer(settings, devices[0])
        yield from map(renderer.render, orders)
        return
    context = multiprocessing.get_context("spawn")
    free = context.Queue()
    for device in devices:
        free.put(device)
    threads = max(1, torch.get_num_threads() // len(devices))
    with ProcessPoolExecutor(len(devices), context, _start, (settings, free, threads)) as pool:
        try:
            yield from bounded(lambda order: pool.submit(_render, order), orders, AHEAD * len(devices))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def bounded(submit: Callable[[Order], Future], orders: Iterable[Order], limit: int) -> Iterator[Any]:
    """Results as they come, with at most `limit` orders under way."""
    waiting = iter(orders)
    running = {submit(order) for order in islice(waiting, limit)}
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        running |= {submit(order) for order in islice(waiting, len(done))}
        for future in done:
            yield future.result()


def local_devices(settings: ExportSettings) -> list[str]:
    """The devices of a process each."""
    if settings.devices != ["auto"]:
        return settings.devices
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def _start(settings: ExportSettings, free: "multiprocessing.Queue[str]", threads: int) -> None:
    global _renderer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _renderer = Renderer(settings, free.get())


def _end_with_parent() -> None:
    """A parent that is killed leaves its workers waiting for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _render(order: Order) -> Rendered:
    return _renderer.render(order)
