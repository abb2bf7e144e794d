"""How well a model renders a corpus's dev split, between the rows that calibrate it.

    python benchmarks/quality.py mini ../shared/data/synthetic-signers --output out/quality

Every clip is rendered from its first frame and all its poses, with the model's own defaults unless options say
otherwise. Beside the model stand the first frame copied (what not moving scores) and the autoencoder alone (the
ceiling of any model that decodes with it). Writes the clips as MP4, `quality.json` and a contact sheet of best, median
and worst clips: source, then pose, reference and generated frame at four times. The table leaves out frame 0, the
source; it is what `signgen evaluate OUTPUT/ROW REFERENCE --poses POSES --from 1` prints.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from signgen.data import Corpus, open_corpus
from signgen.data.pairs import DrivenClip, first_frame_protocol
from signgen.evaluation import Evaluation, evaluate
from signgen.fpdm import FPDMPipeline
from signgen.models.autoencoder import decode, encode
from signgen.models.pixels import to_frames, to_images
from signgen.poses import draw_pose
from signgen.rendering import render
from signgen.video import VideoWriter, open_video

METRICS = ("ssim", "hand-ssim", "psnr")
SHOWN = (0.25, 0.5, 0.75, 1.0)
Row = Callable[[DrivenClip], Iterable[np.ndarray]]


def rows(pipeline: FPDMPipeline, options: dict[str, object]) -> dict[str, Row]:
    """What is compared: name -> frames for a clip."""

    @torch.no_grad()
    def reconstructed(clip: DrivenClip) -> Iterator[np.ndarray]:
        for frame in clip.reference:
            images = to_images(torch.tensor(frame)[None])
            height, width = frame.shape[:2]
            yield to_frames(decode(pipeline.vae, encode(pipeline.vae, images), height, width))[0].numpy()

    return {
        "copied": lambda clip: [clip.first_frame] * len(clip.poses),
        "autoencoder": reconstructed,
        "model": lambda clip: render(pipeline, clip.first_frame, clip.poses, **options),
    }


def write_row(frames: Row, corpus: Corpus, folder: Path) -> float:
    """Write a row's clips as MP4 and return the frames a second that took."""
    count, start = 0, time.perf_counter()
    for clip in first_frame_protocol(corpus):
        with VideoWriter(folder / f"{clip.clip.name}.mp4", clip.poses.fps, clip.poses.size) as writer:
            for frame in frames(clip):
                writer.write(frame)
        count += len(clip.poses)
    return count / (time.perf_counter() - start)


def contact_sheet(result: Evaluation, corpus: Corpus, folder: Path) -> Image.Image:
    """Best, median and worst clip by Hand SSIM, a row each."""
    ranked = sorted(result.clips, key=lambda clip: -clip.value("hand-ssim"))
    chosen = [ranked[0].name, ranked[len(ranked) // 2].name, ranked[-1].name]
    clips = {clip.clip.name: _strip(clip, folder) for clip in first_frame_protocol(corpus) if clip.clip.name in chosen}
    return Image.fromarray(np.concatenate([clips[name] for name in chosen]))


def _strip(clip: DrivenClip, folder: Path) -> np.ndarray:
    height, width = clip.first_frame.shape[:2]
    pictures = [clip.first_frame]
    with open_video(folder / f"{clip.clip.name}.mp4") as generated:
        for part in SHOWN:
            index = round(part * (len(clip.poses) - 1))
            drawing = draw_pose(clip.poses.keypoints[index], height, width)
            pictures += [drawing, clip.reference[index], generated[index]]
    return np.concatenate(pictures, axis=1)


def main() -> None:
    """Render, score, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("corpus")
    parser.add_argument("--split", default="dev")
    parser.add_argument("--output", type=Path, default=Path("out/quality"))
    parser.add_argument("--rows", nargs="+", default=["copied", "autoencoder", "model"])
    parser.add_argument("--steps", type=int)
    parser.add_argument("--guidance", type=float)
    parser.add_argument("--solver")
    arguments = parser.parse_args()
    options = {
        "steps": arguments.steps,
        "solver": arguments.solver,
        "guidance_source": arguments.guidance,
        "guidance_fusion": arguments.guidance,
    }
    corpus = open_corpus([arguments.corpus], arguments.split)
    references = {clip.name: Path(clip.frames) for clip in corpus}
    makers = rows(FPDMPipeline.from_pretrained(arguments.model), options)
    poses = {clip.name: corpus.poses(index) for index, clip in enumerate(corpus)}
    table, record = Table("", *METRICS, "frames/s"), {"model": arguments.model, "options": options, "rows": {}}
    for name in arguments.rows:
        folder = arguments.output / name
        speed = write_row(makers[name], corpus, folder)
        result = evaluate(folder, next(iter(references.values())).parent, poses, metrics=list(METRICS), start=1)
        record["rows"][name] = {"frames_per_second": speed, **result.to_dict()}
        table.add_row(name, *(f"{result[metric]:.3f}" for metric in METRICS), f"{speed:.1f}")
        if name == "model":
            contact_sheet(result, corpus, folder).save(arguments.output / "contact.png")
    Console().print(table)
    (arguments.output / "quality.json").write_text(json.dumps(record, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
