"""What adapting to one signer from one short clip brings, on frames of the clip that were not trained on.

    python benchmarks/adaptation.py CLIP --poses POSES --output out/adaptation

The model is adapted to the first 60 % of the frames (`--share`); the rest is rendered from the first frame and scored,
beside the first frame copied, warped by its keypoints, and the model before its adaptation. Poses and appearance of
neighbouring frames are alike: the nearest trained-on pose, by mean distance of the points, is printed for the held-out
frames, and rows for one clip of one person say nothing about others. Writes the rows as folders of images,
`adaptation.json`, and a sheet: a column per held-out moment; pose, reference, then the rows. Run again it goes on.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from signgen.data import Corpus, open_corpus
from signgen.data.pairs import first_frame_protocol
from signgen.errors import UserError
from signgen.evaluation.baselines import Row, copied, rendered, warped, write_row
from signgen.evaluation.benchmark import score_row
from signgen.io.model_location import model_folder
from signgen.io.provenance import model_hash
from signgen.poses import PoseSequence, draw_pose
from signgen.poses.driving import driving_poses
from signgen.rendering.adaptation import Effort, adapt, write_clip
from signgen.rendering.render_to_file import load_pipeline
from signgen.runtime.progress import track
from signgen.video import open_video

METRICS = ("ssim", "hand-ssim", "psnr")
SHOWN = 6  # moments in the sheet


def held_out_clip(frames: np.ndarray, poses: PoseSequence, first: int, folder: Path) -> Corpus:
    """The first frame, and those from `first` on: what is rendered and scored, as a corpus of one clip."""
    chosen = [0, *range(first, len(frames))]
    if not folder.is_dir():
        write_clip(frames[chosen], replace(poses, keypoints=poses.keypoints[chosen]), folder)
    return open_corpus(folder)


def nearest_pose(poses: PoseSequence, first: int) -> float:
    """Mean over frames from `first` on of the distance, pixels a visible point, to the nearest pose before."""
    points, seen = poses.keypoints[..., :2], poses.keypoints[..., 2] > 0
    distances = []
    for index in range(first, len(poses)):
        both = seen[:first] & seen[index]
        apart = np.linalg.norm(points[:first] - points[index], axis=-1)
        distances.append((np.where(both, apart, 0).sum(1) / np.maximum(both.sum(1), 1)).min())
    return float(np.mean(distances))


def sheet(corpus: Corpus, rows: Path, names: list[str]) -> Image.Image:
    """Columns: held-out moments. Rows: the pose, the reference, then every row in its order."""
    (driven,) = first_frame_protocol(corpus)
    width, height = driven.reference.size
    columns = []
    for index in np.linspace(1, len(driven.poses) - 1, SHOWN).round().astype(int):
        column = [draw_pose(driven.poses.keypoints[index], height, width), driven.reference[int(index)]]
        for name in names:
            with open_video(rows / name / "clip") as made:
                column.append(made[int(index)])
        columns.append(np.concatenate(column))
    return Image.fromarray(np.concatenate(columns, axis=1))


def measure(arguments: argparse.Namespace) -> None:
    """Adapt, render, score, print and write."""
    output = arguments.output
    with open_video(arguments.clip) as video:
        frames = video.frames(range(len(video)))
    poses, _ = driving_poses(arguments.poses, frames[0], track)
    poses = poses.scaled_to((frames.shape[2], frames.shape[1]))
    first = round(arguments.share * len(frames))
    corpus = held_out_clip(frames, poses, first, output / "held-out")
    usual = Effort()
    effort = Effort(round(usual.decoder * arguments.effort), round(usual.denoiser * arguments.effort))
    adapted, start = output / "model", time.monotonic()
    if not adapted.is_dir():

        def reports(name: str, steps: int):
            return lambda step, values: print(f"{name} {step}/{steps}: loss {values['loss']:.4f}", flush=True)

        adapt(list(frames[:first]), poses[:first], adapted, reports=reports, model=arguments.model, effort=effort)
    seconds = time.monotonic() - start

    pipelines = {
        name: (load_pipeline(folder, "auto", torch.float32), model_hash(folder))
        for name, folder in (("before", model_folder(arguments.model)), ("adapted", adapted))
    }
    makers: dict[str, tuple[Row, str]] = {"copied": (copied, ""), "warped": (warped, "")}
    makers |= {name: (rendered(pipeline), sha) for name, (pipeline, sha) in pipelines.items()}
    table = Table("", *METRICS)
    record = {"clip": str(arguments.clip), "trained_on": first, "scored": len(frames) - first, "seconds": seconds}
    record |= {"nearest_pose_pixels": nearest_pose(poses, first), "rows": {}}
    for name, (row, sha) in makers.items():
        write_row(row, corpus, output / "rows" / name, {"clip": str(arguments.clip), "model_sha256": sha})
        result = score_row(output / "rows" / name, corpus, METRICS)
        record["rows"][name] = result.to_dict()
        table.add_row(name, *(f"{result[metric]:.3f}" for metric in METRICS))
    Console().print(table)
    print(
        f"trained on {first} frames, scored on {record['scored']}; nearest trained-on pose "
        f"{record['nearest_pose_pixels']:.1f} pixels a point away; {seconds:.0f} s"
    )
    sheet(corpus, output / "rows", list(makers)).save(output / "sheet.png")
    (output / "adaptation.json").write_text(json.dumps(record, indent=2, default=str) + "\n")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, help="a video, or a folder of images")
    parser.add_argument("--poses", type=Path, required=True, help="its poses, whole-body")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--share", type=float, default=0.6, help="of the frames, from the first on, to train on")
    parser.add_argument("--effort", type=float, default=1.0, help="times the usual number of training steps")
    parser.add_argument("--output", type=Path, default=Path("out/adaptation"))
    arguments = parser.parse_args()
    try:
        measure(arguments)
    except UserError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
