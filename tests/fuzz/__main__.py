"""`python -m tests.fuzz --inputs N`: so many mutated inputs over all readers, and a table of what became of them."""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from tests.fuzz.harness import Outcome, fuzz
from tests.fuzz.readers import READERS

BLOCK = 2000


def shares(inputs: int, names: list[str]) -> dict[str, int]:
    """How many inputs each reader gets: fewer where they take longer."""
    weights = {name: 1 / READERS[name].cost for name in names}
    return {name: max(1, round(inputs * weight / sum(weights.values()))) for name, weight in weights.items()}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kept", type=Path, default=Path("out/fuzz"), help="where inputs with defects are kept")
    parser.add_argument("readers", nargs="*", choices=[[], *READERS], help="all of them by default")
    given = parser.parse_args()
    total = {name: Outcome() for name in given.readers or READERS}
    started = time.monotonic()
    with ProcessPoolExecutor(given.processes, get_context("spawn"), max_tasks_per_child=50) as pool:
        running = {}
        for name, count in shares(given.inputs, list(total)).items():
            block = BLOCK // READERS[name].cost
            for first in range(0, count, block):
                seed = given.seed + first
                running[pool.submit(fuzz, name, seed, min(block, count - first), given.kept)] = name
        for done in as_completed(running):
            add(total[running[done]], done.result())
    print("| reader | inputs | valid | clear errors | defects | longest | most memory |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name, outcome in total.items():
        counts = outcome.counts
        print(
            f"| {name} | {counts.total():,} | {counts['valid']:,} | {counts['clean']:,} | {counts['defect']:,} "
            f"| {outcome.longest:.1f} s | {outcome.most_memory >> 20} MiB |"
        )
    every = sum((outcome.counts for outcome in total.values()), Outcome().counts)
    print(f"\n{every.total():,} inputs in {time.monotonic() - started:.0f} s, {every['defect']:,} defects")
    for name, outcome in total.items():
        for what, seed in outcome.defects.items():
            print(f"{name}, seed {seed}: {what}")
    return int(bool(every["defect"]))


def add(total: Outcome, part: Outcome) -> None:
    total.counts.update(part.counts)
    total.defects = part.defects | total.defects
    total.longest, total.most_memory = max(total.longest, part.longest), max(total.most_memory, part.most_memory)


if __name__ == "__main__":
    sys.exit(main())
