"""How fast signgen renders, beside the published procedure on the same weights, in one process and by turns.

    python benchmarks/speed.py                    # mini, some 5 minutes on two cores
    python benchmarks/speed.py --size paper --rows published exact few --frames 1 --steps 2 --rounds 1 --no-warm-up
    python benchmarks/speed.py --size paper --device cuda --dtype bfloat16 --few-steps 4 [--steps 10]

published: FPDM's procedure as published (`benchmarks/published.py`), DDPM with 20 steps. exact: signgen's shortcuts
that change nothing; the same solver, steps, guidance and batches. default: the model's own sampling defaults. few: a
distilled student's steps, one branch. Each row's rate is the median over rounds; a ratio is the median of the rounds'
ratios, for rounds see the same machine. Beside it: the ratio that the number of floating-point operations allows,
counted on the meta device; the operations a second as a share of what a large matrix product reaches here; and peak
memory, of the device's tensors on CUDA, of the whole process elsewhere.

What the weights are makes no difference to time: `--size` takes random ones, published and exact take random ones of
`mini`'s size where the model moves the first frame (the published procedure knows of no transport), and 20 guided steps
of a distilled student take as long as its teacher's. The published geometry on a CPU is a matter of minutes a frame:
one frame, two steps.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from published import BATCH, GUIDANCE, STEPS, batch_of, published
from rich.console import Console
from rich.table import Table

from signgen.errors import UserError
from signgen.poses import read_poses
from signgen.rendering.generator import render
from signgen.runtime.device import peak_memory, synchronize
from signgen.runtime.flops import count_flops, device_flops
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.pipeline_flops import pipeline_flops
from signgen.systems.fpdm.presets import preset
from signgen.video import read_image

EXAMPLE = Path(__file__).resolve().parents[1] / "signgen" / "assets" / "example"
ROWS = ("published", "exact", "default", "few")
PLAIN = ("published", "exact")  # of a model without transport: the published procedure knows of none
Rendering = Callable[[int], Iterator[np.ndarray]]
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def rows(
    pipeline: FPDMPipeline, plain: FPDMPipeline, arguments: argparse.Namespace
) -> dict[str, tuple[Rendering, dict[str, Any]]]:
    """Name -> how it renders so many frames, and its sampling options (none: the published procedure).

    plain: the model of the rows in `PLAIN`.
    """
    frame, poses = read_image(EXAMPLE / "signer.png"), read_poses(EXAMPLE / "signer.npz")
    guided = {"guidance_source": GUIDANCE, "guidance_fusion": GUIDANCE}
    unguided = {"guidance_source": 1.0, "guidance_fusion": 1.0}
    options: dict[str, dict[str, Any]] = {
        "exact": {"steps": arguments.steps, "solver": "ddpm", **guided},
        "default": {},
        "few": {"steps": arguments.few_steps, "solver": "ddim", **unguided},
    }

    def ours(name: str) -> Rendering:
        batch_size = BATCH if name == "exact" else arguments.batch_size
        model = plain if name in PLAIN else pipeline
        return lambda count: render(
            model, frame, poses[:count], source_pose=poses[:1], batch_size=batch_size, **options[name]
        )

    found: dict[str, tuple[Rendering, dict[str, Any]]] = {
        "published": (lambda count: published(plain, frame, poses[:count], arguments.steps), {})
    }
    found |= {name: (ours(name), sampling) for name, sampling in options.items()}
    return {name: found[name] for name in ("published", *(row for row in arguments.rows if row != "published"))}


def flops_per_frame(name: str, sampling: dict[str, Any], empty: FPDMPipeline, frames: int, steps: int) -> float:
    """What a row takes, a video's share included."""
    if name != "published":
        return pipeline_flops(empty, **sampling).of_video(frames) / frames
    size = tuple(empty.config.image_size)
    source = torch.empty((*size, 3), dtype=torch.uint8, device="meta")
    pose_maps = source.expand(min(BATCH, frames), -1, -1, -1)
    return count_flops(lambda: batch_of(empty, source, pose_maps, size, steps)) / len(pose_maps)


def seconds(rendering: Rendering, frames: int, device: torch.device) -> float:
    """A frame's time."""
    synchronize(device)
    start = time.perf_counter()
    for _ in rendering(frames):
        pass
    synchronize(device)
    return (time.perf_counter() - start) / frames


def reset_peak_memory(device: torch.device) -> None:
    """Begin anew; a process on Linux may reset its own high-water mark."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        Path("/proc/self/clear_refs").write_text("5")


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All rows, by turns."""
    dtype, device = DTYPES[arguments.dtype], torch.device(arguments.device)
    if arguments.size:
        pipeline = FPDMPipeline.from_preset(preset(arguments.size)).to(device, dtype)
        with torch.device("meta"):
            empty = FPDMPipeline.from_preset(preset(arguments.size))
    else:
        pipeline = FPDMPipeline.from_pretrained(arguments.model, dtype=dtype).to(device)
        empty = FPDMPipeline.without_weights(arguments.model)
    plain, plain_empty = pipeline, empty
    if pipeline.needs_source_pose(pipeline.config):
        plain = FPDMPipeline.from_preset(preset("mini")).to(device, dtype)
        with torch.device("meta"):
            plain_empty = FPDMPipeline.from_preset(preset("mini"))
    if arguments.compile:
        pipeline.compile()
    table = rows(pipeline, plain, arguments)
    frames = dict.fromkeys(table, arguments.frames) | {"published": min(arguments.frames, arguments.slow_frames)}
    if "exact" in table:
        frames["exact"] = frames["published"]
    for name, (rendering, _) in table.items():
        if arguments.warm_up:
            seconds(rendering, frames[name] if arguments.compile else min(frames[name], 2), device)
    times: dict[str, list[float]] = {name: [] for name in table}
    peaks = dict.fromkeys(table, 0)
    for _ in range(arguments.rounds):
        for name, (rendering, _) in table.items():
            reset_peak_memory(device)
            times[name].append(seconds(rendering, frames[name], device))
            peaks[name] = max(peaks[name], peak_memory(device))
    limit = device_flops(device, dtype)
    work = {
        name: flops_per_frame(name, sampling, plain_empty if name in PLAIN else empty, frames[name], arguments.steps)
        for name, (_, sampling) in table.items()
    }
    result = {
        name: {
            "frames_per_second": 1 / statistics.median(times[name]),
            "times_published": statistics.median(a / b for a, b in zip(times["published"], times[name], strict=True)),
            "times_published_by_flops": work["published"] / work[name],
            "gflop_per_frame": work[name] / 1e9,
            "share_of_limit": work[name] / statistics.median(times[name]) / limit,
            "peak_memory_mib": peaks[name] / 2**20,
        }
        for name in table
    }
    machine = {"threads": torch.get_num_threads(), "limit_gflops": limit / 1e9, "torch": torch.__version__}
    return {"settings": {k: str(v) for k, v in vars(arguments).items()}, **machine, "rows": result}


def main() -> None:
    """Parse the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--size", choices=("tiny", "mini", "paper"), help="random weights of this size, no model")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=tuple(DTYPES), default="float32")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--slow-frames", type=int, default=BATCH, help="frames of `published` and `exact`")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, metavar="ROW", help="beside `published`")
    parser.add_argument("--batch-size", type=int, help="of `default` and `few`; by default signgen's own")
    parser.add_argument("--steps", type=int, default=STEPS, help="steps of the published procedure and `exact`")
    parser.add_argument("--few-steps", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="as `signgen render --compile`, of every row")
    parser.add_argument("--warm-up", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--output", type=Path, default=Path("speed.json"))
    arguments = parser.parse_args()
    try:
        result = measure(arguments)
    except UserError as error:
        sys.exit(f"{error}")
    table = Table("", "frames/s", "x published", "by FLOPs", "GFLOP/frame", "of the limit", "peak MiB")
    for name, row in result["rows"].items():
        table.add_row(
            name,
            f"{row['frames_per_second']:.3g}",
            f"{row['times_published']:.2f}",
            f"{row['times_published_by_flops']:.2f}",
            f"{row['gflop_per_frame']:.1f}",
            f"{row['share_of_limit']:.0%}",
            f"{row['peak_memory_mib']:.0f}",
        )
    Console(width=100).print(table, f"limit: {result['limit_gflops']:.0f} GFLOP/s, {result['threads']} threads")
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
