"""`python -m tests.fuzz --inputs N`: so many mutated inputs over all readers, and a table of what became of them."""

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import takewhile
from multiprocessing import get_context
from pathlib import Path

from signgen.runtime.worker_pool import as_completed
from tests.fuzz.harness import Outcome, fuzz
from tests.fuzz.readers import READERS

BLOCK = 500


def shares(inputs: int, names: list[str]) -> dict[str, int]:
    """How many inputs each reader gets: fewer where they take longer."""
    weights = {name: 1 / READERS[name].cost for name in names}
    return {name: max(1, round(inputs * weight / sum(weights.values()))) for name, weight in weights.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--minutes", type=float, default=600.0, help="no block of inputs begins after that")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kept", type=Path, default=Path("out/fuzz"), help="where inputs with defects are kept")
    parser.add_argument("readers", nargs="*", choices=[[], *READERS], help="all of them by default")
    given = parser.parse_args()
    total = {name: Outcome(name) for name in given.readers or READERS}
    started = time.monotonic()
    with ProcessPoolExecutor(given.processes, get_context("spawn"), max_tasks_per_child=50) as pool:
        end = started + 60 * given.minutes
        timely = takewhile(lambda _: time.monotonic() < end, _blocks(given))
        for outcome in as_completed(lambda block: pool.submit(fuzz, *block, given.kept), timely, given.processes):
            add(total[outcome.reader], outcome)
    print("| reader | inputs | valid | clear errors | defects | longest | most memory |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, outcome in total.items():
        counts = outcome.counts
        print(
            f"| {name} | {counts.total():,} | {counts['valid']:,} | {counts['clean']:,} | {counts['defect']:,} "
            f"| {outcome.longest:.1f} s | {outcome.most_memory >> 20} MiB |"
        )
    every = sum((outcome.counts for outcome in total.values()), Counter[str]())
    print(f"\n{every.total():,} inputs in {time.monotonic() - started:.0f} s, {every['defect']:,} defects")
    for name, outcome in total.items():
        for what, seed in outcome.defects.items():
            print(f"{name}, seed {seed}: {what}")
    return int(bool(every["defect"]))


def _blocks(given: argparse.Namespace) -> list[tuple[str, int, int]]:
    """Reader, first seed and number of inputs of each block, the readers in turn."""
    blocks = []
    for name, count in shares(given.inputs, given.readers or list(READERS)).items():
        size = max(1, BLOCK // READERS[name].cost)
        starts = range(0, count, size)
        blocks += [(first / count, name, given.seed + first, min(size, count - first)) for first in starts]
    return [block for _, *block in sorted(blocks)]  # type: ignore[misc]


def add(total: Outcome, part: Outcome) -> None:
    total.counts.update(part.counts)
    total.defects = part.defects | total.defects
    total.longest, total.most_memory = max(total.longest, part.longest), max(total.most_memory, part.most_memory)


if __name__ == "__main__":
    sys.exit(main())
