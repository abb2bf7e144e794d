"""Time a frame and peak memory as videos grow: both are to stay the same.

    python benchmarks/scaling.py [--model mini] [--frames 25 250 2500] [--output scaling.json]

Each length is rendered to an MP4 in a fresh process, whose peak memory is taken, and stands beside the length before.
Times leave out loading the model. On two cores the three lengths of `mini` take some 3 minutes.
"""

import argparse
import json
import multiprocessing
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from signgen.poses import PoseSequence, read_poses
from signgen.rendering.render_to_file import render_to_file
from signgen.video import read_image

EXAMPLE = Path(__file__).resolve().parents[1] / "signgen" / "assets" / "example"


def produced(frames: int, model: str, steps: int | None, device: str) -> dict[str, Any]:
    """The record of a video of so many frames: the example's poses over and over."""
    poses = read_poses(EXAMPLE / "signer.npz")
    keypoints = np.resize(poses.keypoints, (frames, *poses.keypoints.shape[1:]))
    longer = PoseSequence(keypoints, poses.size, poses.fps, poses.skeleton)
    with tempfile.TemporaryDirectory() as folder:
        return render_to_file(
            read_image(EXAMPLE / "signer.png"),
            longer,
            Path(folder) / "out.mp4",
            inputs={},
            source_pose=poses[:1],
            progress=lambda stream, total, what: iter(stream),
            model=model,
            device=device,
            steps=steps,
        )


def main() -> None:
    """Parse the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--frames", type=int, nargs="+", default=[25, 250, 2500])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--output", type=Path, default=Path("scaling.json"))
    arguments = parser.parse_args()
    result: dict[int, dict[str, float]] = {}
    table = Table("frames", "ms a frame", "x the row before", "peak MiB", "x the row before")
    before: dict[str, float] = {}
    for frames in arguments.frames:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            record = pool.apply(produced, (frames, arguments.model, arguments.steps, arguments.device))
        result[frames] = {
            "seconds_per_frame": record["seconds"] / frames,
            "peak_memory_mib": record["peak_memory_bytes"] / 2**20,
        }
        row = result[frames]
        time, memory = (f"{row[name] / before[name]:.3f}" if before else "" for name in row)
        shown = f"{1000 * row['seconds_per_frame']:.1f}", time, f"{row['peak_memory_mib']:.0f}", memory
        table.add_row(str(frames), *shown)
        before = row
    Console().print(table)
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
