"""Mutated inputs, one a seed, each read within limits of time and memory: a value, a clear error, or a defect."""

import random
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from signgen.errors import LONGEST, InputWarning, UserError
from tests.fuzz.readers import READERS, Reader

SECONDS, HUNG, MEMORY = 5, 20, 1 << 30


class _HungError(BaseException):
    """The time is over; no `except Exception` stops it."""


@dataclass
class Outcome:
    """What became of a reader's inputs. defects: what went wrong -> the first seed with which it did."""

    reader: str
    counts: Counter[str] = field(default_factory=Counter)
    defects: dict[str, int] = field(default_factory=dict)
    most_memory: int = 0
    longest: float = 0.0


def fuzz(name: str, start: int, count: int, kept: Path | None = None) -> Outcome:
    """Read the inputs of seeds `start` to `start + count` - 1; those with a new defect are kept in a folder."""
    reader, seeds, outcome = READERS[name], READERS[name].seeds(), Outcome(name)
    with tempfile.TemporaryDirectory() as temporary:
        for seed in range(start, start + count):
            folder = Path(temporary) / f"{seed % 7}"  # readers may remember a file of the same name, size and time
            shutil.rmtree(folder, ignore_errors=True)
            write_input(reader, seeds, f"{name} {seed}", folder)
            kind, what = _read(reader, folder, outcome)
            outcome.counts[kind] += 1
            if kind == "defect" and what not in outcome.defects:
                outcome.defects[what] = seed
                if kept is not None:
                    shutil.copytree(folder, kept / f"{name}-{seed}".replace(" ", "-"), dirs_exist_ok=True)
    return outcome


def write_input(reader: Reader, seeds: list[dict[str, bytes]], seed: str, folder: Path) -> None:
    """A folder of valid files, one of them mutated."""
    chance = random.Random(seed)
    files = dict(chance.choice(seeds))
    chosen = chance.choice([name for name in files if reader.mutable.search(name)])
    files[chosen] = reader.mutate(chance, files[chosen])
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _read(reader: Reader, folder: Path, outcome: Outcome) -> tuple[str, str]:
    """valid, clean or defect, and what the defect is."""
    before, start = _memory(), time.process_time()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        kind, what = _caught(reader, folder)
    seconds, memory = time.process_time() - start, _memory(peak=True) - before
    outcome.longest, outcome.most_memory = max(outcome.longest, seconds), max(outcome.most_memory, memory)
    ignored = InputWarning, DeprecationWarning, PendingDeprecationWarning, ResourceWarning
    strangers = [warning for warning in warned if not issubclass(warning.category, ignored)]
    if kind == "defect":
        return kind, what
    if seconds > SECONDS:
        return "defect", f"it took {seconds:.0f} s"
    if memory > MEMORY:
        return "defect", f"it took {memory >> 20} MiB"
    return ("defect", f"a warning: {strangers[0].message}"[:100]) if strangers else (kind, what)


def _caught(reader: Reader, folder: Path) -> tuple[str, str]:
    previous = signal.signal(signal.SIGALRM, _hang)
    signal.alarm(HUNG)
    try:
        reader.read(folder)
    except UserError as error:
        if len(str(error)) <= LONGEST and str(error).isprintable():
            return "clean", ""
        return "defect", "an error that is no line"
    except _HungError:
        return "defect", f"it hung for {HUNG} s"
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)
        own = [frame for frame in place if "/signgen/" in frame.filename] or place
        return "defect", f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return "valid", ""


def _hang(*_: Any) -> None:
    raise _HungError


def _memory(peak: bool = False) -> int:
    """Bytes of memory that the process has; or the most it had since it was last asked for what it has."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    if not peak:
        Path("/proc/self/clear_refs").write_text("5")
    name = "VmHWM" if peak else "VmRSS"
    return next(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith(name))
