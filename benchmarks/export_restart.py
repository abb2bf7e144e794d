"""Is an export that is killed and continued the same as one that is not?

    python benchmarks/export_restart.py configs/export/synthetic-signers.yaml roots=[CORPUS] --output out/restart

Runs `signgen export CONFIG` in one go; then again elsewhere, killed by SIGKILL at random moments, three times, and
continued to its end. Compares every file but config.yaml, which names the output: the manifest, which holds a hash of
every clip's frames, videos or pictures, poses, tables and shards, byte by byte. Exits with status 1 where any differs.
"""

import argparse
import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

EXPORT = [sys.executable, "-c", "import sys; from signgen.cli import main; sys.exit(main())", "export"]
LEFT_OUT = "config.yaml"


def export(arguments: argparse.Namespace, output: Path, seconds: float | None = None) -> bool:
    """Run the export, killed after so many seconds; whether it came to its end."""
    command = [*EXPORT, arguments.config, *arguments.settings, f"output={output}"]
    with subprocess.Popen(command) as process:
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            return False
    if status:
        sys.exit(f"the export ended with status {status}")
    return True


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file, by its place."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != LEFT_OUT)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def main() -> None:
    """Parse the command line, export, kill, continue, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config")
    parser.add_argument("settings", nargs="*", metavar="key=value")
    parser.add_argument("--output", type=Path, default=Path("out/restart"))
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    unbroken, killed = arguments.output / "unbroken", arguments.output / "killed"
    if arguments.output.exists():
        parser.error(f"{arguments.output} exists already: both exports must begin with nothing")
    start = time.monotonic()
    export(arguments, unbroken)
    whole, rng = time.monotonic() - start, random.Random(arguments.seed)
    moments, rows = [], []
    for _ in range(arguments.kills):
        moments.append(rng.uniform(0.2, 1.2) * whole / arguments.kills)
        if export(arguments, killed, moments[-1]):
            sys.exit(f"the export was over before the kill after {moments[-1]:.0f} s: take another --seed")
        rows.append(len(list(killed.glob("rows/*.json"))))
    export(arguments, killed)
    ours, theirs = hashes(killed), hashes(unbroken)
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    clips = len((unbroken / "manifest.jsonl").read_text().splitlines())
    seconds = [round(moment, 1) for moment in moments]
    result = {"clips": clips, "files": len(theirs), "killed_after_seconds": seconds}
    print(json.dumps(result | {"clips_done_when_killed": rows, "differing": differing}))
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
