"""What a model makes of clips of people, each from its first frame, beside rows that need no model.

    python benchmarks/people.py CLIP=POSES [CLIP=POSES ...] --output out/people

CLIP is a video, or a folder of its frames, POSES its whole-body poses. Every clip is rendered from its first frame with
the model's own defaults. Beside the model stand the first frame copied, the same warped by its keypoints, and the same
transported as the model transports it (`signgen.models.transport`), before anything is generated. Frame 0, the source,
does not count. LPIPS (AlexNet; of the whole frame, and of the face) needs its weights (docs/metrics.md); without them
its columns are left out. Writes the rows as folders of images, `people.json`, and a sheet a clip: a column per
moment; pose, recording, then the rows.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from adaptation import sheet
from PIL import Image
from rich.console import Console
from rich.table import Table

from signgen.data import Corpus, first_frame_protocol, open_corpus
from signgen.errors import UserError
from signgen.evaluation.baselines import copied, rendered, transported, warped, write_row
from signgen.evaluation.benchmark import score_row
from signgen.io.model_location import model_folder
from signgen.io.provenance import model_hash
from signgen.metrics.lpips import lpips, lpips_network
from signgen.poses.driving import driving_poses
from signgen.rendering.adaptation import write_clip
from signgen.rendering.render_to_file import load_pipeline
from signgen.runtime.progress import track
from signgen.video import open_video

METRICS = ("ssim", "hand-ssim", "psnr")


def face_lpips(row: Path, corpus: Corpus) -> float:
    """LPIPS of the face's box, enlarged by a half and brought to 128x128, in all frames but the first."""
    (driven,) = first_frame_protocol(corpus)
    distances = []
    with open_video(row / "clip") as made:
        for index in range(1, len(driven.poses)):
            face = driven.poses.keypoints[index, 23:91]
            if (face[:, 2] > 0).sum() < 5:
                continue
            low, high = (edge(face[face[:, 2] > 0, :2], axis=0) for edge in (np.min, np.max))
            middle, half = (low + high) / 2, 0.75 * (high - low).max()
            box = (*np.clip(middle - half, 0, None), *np.clip(middle + half, 0, driven.reference.size))
            pair = [Image.fromarray(each[index]).crop(box).resize((128, 128)) for each in (made, driven.reference)]
            distances.append(lpips(*(torch.from_numpy(np.array(face)[None]) for face in pair)).item())
    return float(np.mean(distances))


def clip_corpus(clip: Path, poses: Path, folder: Path) -> Corpus:
    """A clip and its poses as a corpus of one, its frames kept as images in `folder`."""
    if not folder.is_dir():
        with open_video(clip) as video:
            frames = video.frames(range(len(video)))
        found, _ = driving_poses(poses, frames[0], track)
        write_clip(frames, found.scaled_to((frames.shape[2], frames.shape[1])), folder)
    return open_corpus(folder)


def metrics() -> tuple[str, ...]:
    """Those that can be computed here."""
    try:
        lpips_network("alex")
    except UserError:
        return METRICS
    return (*METRICS, "lpips-alex")


def measure(arguments: argparse.Namespace) -> None:
    """Render, score, print and write."""
    folder = model_folder(arguments.model)
    made_with = {"model_sha256": model_hash(folder)}
    makers = {"copied": copied, "warped": warped, "transported": transported}
    makers["model"] = rendered(load_pipeline(folder, "auto", torch.float32))
    chosen = metrics()
    record: dict[str, object] = {"model": arguments.model, **made_with, "clips": {}}
    for pair in arguments.clips:
        clip, _, poses = pair.partition("=")
        name = f"{Path(clip).parent.name}-{Path(clip).stem}"
        output = arguments.output / name
        corpus = clip_corpus(Path(clip), Path(poses), output / "clip")
        table, rows = Table(name, *chosen, *(["face LPIPS"] if "lpips-alex" in chosen else [])), {}
        for row, maker in makers.items():
            settings = made_with if row == "model" else {}
            write_row(maker, corpus, output / "rows" / row, settings)
            result = score_row(output / "rows" / row, corpus, chosen)
            rows[row] = result.to_dict()
            values = [result[metric] for metric in chosen]
            if "lpips-alex" in chosen:
                rows[row]["face-lpips"] = face_lpips(output / "rows" / row, corpus)
                values.append(rows[row]["face-lpips"])
            table.add_row(row, *(f"{value:.3f}" for value in values))
        Console().print(table)
        record["clips"][name] = rows
        sheet(corpus, output / "rows", list(makers)).save(output / "sheet.png")
    (arguments.output / "people.json").write_text(json.dumps(record, indent=2, default=str) + "\n")


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", metavar="CLIP=POSES")
    parser.add_argument("--model", default="mini")
    parser.add_argument("--output", type=Path, default=Path("out/people"))
    arguments = parser.parse_args()
    try:
        measure(arguments)
    except UserError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
