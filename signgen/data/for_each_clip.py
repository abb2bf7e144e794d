"""Does some work for every clip, in threads: decoders release the interpreter lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

from signgen.runtime.progress import shown

Result = TypeVar("Result")


def for_each_clip(work: Callable[[int], Result], clips: int, label: str) -> list[Result]:
    """The results of `work(0)` to `work(clips - 1)`, in this order.

    The first exception, Ctrl-C included, drops the work not yet begun and is raised.
    """
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = [pool.submit(work, clip) for clip in range(clips)]
        try:
            for job in shown(as_completed(jobs), clips, label):
                job.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [job.result() for job in jobs]
