"""Who renders orders: this process, a process for each device, or (in `ray_cluster`) a cluster."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator

import torch

from signgen.export.clip_renderer import ClipRenderer, Rendered
from signgen.export.job_inputs import JobInputs
from signgen.export.settings import ExportSettings
from signgen.runtime.worker_pool import AHEAD, as_completed, processes

# From orders to renderings, in the order in which they are done.
Workers = Callable[[ExportSettings, Iterable[JobInputs]], Iterator[Rendered]]

_renderer: ClipRenderer  # of a worker process


def local_workers(settings: ExportSettings, orders: Iterable[JobInputs]) -> Iterator[Rendered]:
    """Render on the devices of this machine: here if there is one, else in a process for each."""
    devices = local_devices(settings)
    if len(devices) == 1:
        renderer = ClipRenderer(settings, devices[0])
        yield from map(renderer.render, orders)
        return
    free = multiprocessing.get_context("spawn").Queue()
    for device in devices:
        free.put(device)
    threads = max(1, torch.get_num_threads() // len(devices))
    with processes(len(devices), threads, _start, settings, free) as pool:
        yield from as_completed(lambda order: pool.submit(_render, order), orders, AHEAD * len(devices))


def local_devices(settings: ExportSettings) -> list[str]:
    """The devices of a process each."""
    if settings.devices != ["auto"]:
        return settings.devices
    return [f"cuda:{index}" for index in range(torch.cuda.device_count())] or ["cpu"]


def _start(settings: ExportSettings, free: "multiprocessing.Queue[str]") -> None:
    global _renderer
    _renderer = ClipRenderer(settings, free.get())


def _render(order: JobInputs) -> Rendered:
    return _renderer.render(order)
