"""How well a model renders a corpus's dev split, between the rows that calibrate it.

    python benchmarks/quality.py mini ../shared/data/synthetic-signers --output out/quality

Every clip is rendered from its first frame and all its poses, with the model's own defaults unless options say
otherwise. Beside the model stand the first frame copied (what not moving scores), transported (moved to each pose,
nothing generated) and the autoencoder alone (the ceiling of what is decoded with it). Writes the clips as folders of
images, `quality.json` and a contact sheet of best, median and worst clips: source, then pose, reference and generated
frame at four times. The table leaves out frame 0, the source; it is what `signgen evaluate OUTPUT/ROW REFERENCE --poses
POSES --from 1` prints. `signgen benchmark` has the same rows, more metrics, a paper's table and a page to look at.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from signgen.data import Corpus, open_corpus
from signgen.data.pairs import DrivenClip, first_frame_protocol
from signgen.errors import UserError
from signgen.evaluation import Evaluation
from signgen.evaluation.baselines import Row, copied, reconstructed, rendered, transported, write_row
from signgen.evaluation.benchmark import score_row
from signgen.io.model_location import model_folder
from signgen.io.provenance import model_hash
from signgen.poses import draw_pose
from signgen.rendering.render_to_file import load_pipeline
from signgen.video import open_video

METRICS = ("ssim", "hand-ssim", "psnr")
SHOWN = (0.25, 0.5, 0.75, 1.0)


def contact_sheet(result: Evaluation, corpus: Corpus, folder: Path) -> Image.Image:
    """Best, median and worst clip by Hand SSIM, a row each."""
    ranked = sorted(result.clips, key=lambda clip: -clip.value("hand-ssim"))
    chosen = [ranked[0].name, ranked[len(ranked) // 2].name, ranked[-1].name]
    clips = {clip.clip.name: _strip(clip, folder) for clip in first_frame_protocol(corpus) if clip.clip.name in chosen}
    return Image.fromarray(np.concatenate([clips[name] for name in chosen]))


def _strip(clip: DrivenClip, folder: Path) -> np.ndarray:
    height, width = clip.first_frame.shape[:2]
    images = [clip.first_frame]
    with open_video(folder / clip.clip.name) as generated:
        for part in SHOWN:
            index = round(part * (len(clip.poses) - 1))
            drawing = draw_pose(clip.poses.keypoints[index], height, width)
            images += [drawing, clip.reference[index], generated[index]]
    return np.concatenate(images, axis=1)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("corpus")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth clip, for quick comparisons")
    parser.add_argument("--output", type=Path, default=Path("out/quality"))
    parser.add_argument("--metrics", nargs="+", default=METRICS, help="as of `signgen evaluate`")
    parser.add_argument("--rows", nargs="+", default=["copied", "transported", "autoencoder", "model"])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--solver")
    arguments = parser.parse_args()
    try:
        measure(arguments)
    except UserError as error:
        sys.exit(f"{error}")


def measure(arguments: argparse.Namespace) -> None:
    """Render, score, print and write."""
    options = {
        "steps": arguments.steps,
        "solver": arguments.solver,
        "guidance_source": arguments.guidance,
        "guidance_fusion": arguments.guidance,
    }
    corpus = open_corpus([arguments.corpus], arguments.split)[:: arguments.every]
    folder = model_folder(arguments.model)
    pipeline = load_pipeline(folder, "auto", torch.float32)
    made_with = {"corpus": arguments.corpus, "split": arguments.split, "model_sha256": model_hash(folder)}
    makers: dict[str, Row] = {
        "copied": copied,
        "transported": transported,
        "autoencoder": reconstructed(pipeline),
        "model": rendered(pipeline, **options),
    }
    table, record = (
        Table("", *arguments.metrics, "frames/s"),
        {"model": arguments.model, "options": options, "rows": {}},
    )
    for name in arguments.rows:
        row = arguments.output / name
        speed = write_row(makers[name], corpus, row, made_with | options)
        result = score_row(row, corpus, arguments.metrics)
        record["rows"][name] = {"frames_per_second": speed, **result.to_dict()}
        table.add_row(name, *(f"{result[metric]:.3f}" for metric in arguments.metrics), f"{speed:.1f}")
        if name == "model":
            contact_sheet(result, corpus, row).save(arguments.output / "contact.png")
    Console().print(table)
    (arguments.output / "quality.json").write_text(json.dumps(record, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
