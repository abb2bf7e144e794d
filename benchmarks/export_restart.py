"""Is an export that is killed and continued the same as one that is not?

    python benchmarks/export_restart.py configs/export/synthetic-signers.yaml roots=[CORPUS] --output out/restart

Runs `signgen export CONFIG` in one go; then again elsewhere, killed by SIGKILL at random moments, three times, and
continued to its end. Compares every file but config.yaml, which names the output: the manifest, which holds a hash of
every clip's frames, videos or images, poses, tables and shards, byte by byte. Exits with status 1 where any differs.
"""

import argparse
import hashlib
import json
import random
import shutil
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


def kill(arguments: argparse.Namespace, output: Path, whole: float, rng: random.Random) -> list[dict[str, float]]:
    """Begin the export and kill it, again and again, at random moments of its `whole` seconds.

    Returns when it was killed and how many clips were done then; nothing where it was over before a kill.
    """
    kills = []
    for _ in range(arguments.kills):
        seconds = rng.uniform(0.2, 1.2) * whole / arguments.kills
        if export(arguments, output, seconds):
            return []
        kills.append({"seconds": round(seconds, 1), "clips_done": len(list(output.glob("rows/*.json")))})
    return kills


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
    while not (kills := kill(arguments, killed, whole, rng)):
        whole *= 0.7  # of a machine that was busy with other things before
        shutil.rmtree(killed)
    export(arguments, killed)
    ours, theirs = hashes(killed), hashes(unbroken)
    differing = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name))
    clips = len((unbroken / "manifest.jsonl").read_text().splitlines())
    print(json.dumps({"clips": clips, "files": len(theirs), "kills": kills, "differing": differing}))
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
