"""FPDM's ablations: A1-A3 (what fusion is for) and B1-B6 (what each condition is for), the paper's tables beside ours.

    python pipelines/ablations.py CORPUS [CORPUS ...] --work runs/fpdm/ablations-small

By default at small size on clips of signers, with the autoencoder of the embedded model; A1 and B4 then have no CLIP
trained by others. `--configs configs/fpdm/ablations` are the paper's. Each row goes on where it was stopped and is not
repeated; its numbers, seed and duration stay in WORK/ROW.json.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from signgen.data import Corpus, open_corpus
from signgen.errors import one_line_errors
from signgen.evaluation.baselines import rendered, write_row
from signgen.evaluation.benchmark import score_row
from signgen.evaluation.benchmark_protocol import SHARED_NOISE
from signgen.evaluation.tables import table_with_ours
from signgen.io.atomic_files import atomic_folder, atomic_path
from signgen.io.model_folder import load_component
from signgen.io.provenance import model_hash
from signgen.metrics import Retrieval
from signgen.models.conditions import fusion_embedding
from signgen.models.fusion import ImagePoseFusion
from signgen.poses import draw_pose
from signgen.rendering.render_to_file import load_pipeline
from signgen.runtime.ranks import by_main_process, is_main_process
from signgen.systems.fpdm.train_fusion import FusionObjective
from signgen.systems.stages import of_stage, train_stage
from signgen.systems.trainings import load_settings
from signgen.training.settings import TrainingSettings
from signgen.video.image_arrays import resize_image

HOME = Path(__file__).resolve().parent.parent
PUBLISHED = HOME / "benchmarks" / "published"
FUSIONS, DIFFUSIONS = ("a1", "a2", "a3"), ("b1", "b2", "b3", "b4", "b5", "b6")
METRICS = ("ssim", "psnr", "hand-ssim", "lpips-alex", "fid")
RETRIEVAL = {"r_at_1": "r@1", "r_at_3": "r@3", "r_at_5": "r@5", "average_rank": "average-rank"}
DIFFUSION = {"fid_test": "fid", "lpips": "lpips-alex", "ssim": "ssim", "psnr": "psnr"}
STRIDE = 8  # neighbouring frames look alike: to tell them apart is not what is asked
Result = dict[str, float]


@torch.no_grad()
def retrieve(fusion: ImagePoseFusion, corpus: Corpus, size: tuple[int, int], by_source: bool) -> Result:
    """Ranks of the target frames among all targets, sought by the fusion embedding of the clip's first frame and their
    pose, or by the first frame's own embedding."""
    ranks = Retrieval()
    for index in range(len(corpus)):
        poses = corpus.poses(index).scaled_to(size[::-1])
        chosen = range(1, len(poses), STRIDE)
        with corpus.reader(index) as reader:
            frames = np.stack([resize_image(reader[frame], size) for frame in (0, *chosen)])
        pose_maps = np.stack([draw_pose(poses.keypoints[frame], *size, poses.skeleton) for frame in chosen])
        embedded = fusion_embedding(fusion, torch.from_numpy(frames))
        sources = embedded[:1].expand(len(chosen), -1)
        sought = sources if by_source else fusion(sources, fusion_embedding(fusion, torch.from_numpy(pose_maps)))
        ranks.update(sought, embedded[1:])
    return {name: float(value) for name, value in ranks.compute().items()}


def save_untrained(settings: TrainingSettings, model: Path) -> None:
    """A fusion model as training would start from it."""
    torch.manual_seed(settings.seed)
    with atomic_folder(model) as unfinished:
        FusionObjective(settings).save(unfinished)


def once(path: Path, measure: Callable[[], Result]) -> Result:
    """What `measure` gives and the seconds it took, kept in a JSON file."""

    def known() -> Result | None:
        return json.loads(path.read_text()) if path.exists() else None

    def write() -> Result:
        with atomic_path(path) as unfinished:
            unfinished.write_text(json.dumps(result, indent=2) + "\n")
        return result

    if (found := by_main_process(known)) is not None:
        return found
    start = time.monotonic()
    result = measure() | {"seconds": round(time.monotonic() - start, 1)}
    return by_main_process(write)


class Ablations:
    """The rows on given corpora, each in `work/ROW`."""

    def __init__(self, arguments: argparse.Namespace, overrides: list[str], test: Corpus) -> None:
        self.configs, self.work, self.metrics = arguments.configs, arguments.work, arguments.metrics
        self.overrides, self.test = overrides, test

    def train(self, kind: str, row: str, *extra: str) -> Path:
        """Train a row and return its model."""
        given = [f"output={self.work / row}", *extra, *of_stage(kind, self.overrides)]
        return train_stage(kind, self.configs / f"{row}.yaml", given, name=row)

    def fusion(self, row: str) -> Result:
        """Train a fusion model, A1 excepted, and seek the test clips' frames with it."""
        settings = load_settings(
            "fusion", self.configs / f"{'a2' if row == 'a1' else row}.yaml", of_stage("fusion", self.overrides)
        )
        if row == "a1":
            model = self.work / row / "model"
            by_main_process(lambda: save_untrained(settings, model))
        else:
            model = self.train("fusion", row)

        def ranks() -> Result:
            fusion = load_component(ImagePoseFusion, model)
            return retrieve(fusion, self.test, settings.sizes().image_size, by_source=row == "a1")

        return by_main_process(ranks) | {"seed": settings.seed}

    def diffusion(self, row: str) -> Result:
        """Train a diffusion model on the fusion model that its configuration names, and score the test clips."""
        settings = load_settings("diffusion", self.configs / f"{row}.yaml")
        fusion = self.work / Path(settings.fusion).parent.name / "model"
        model = self.train("diffusion", row, f"fusion={fusion}")

        def scores() -> Result:
            pipeline, folder = load_pipeline(model, "auto", torch.float32), self.work / row / "rendered"
            write_row(rendered(pipeline, seed=settings.seed), self.test, folder, {"model_sha256": model_hash(model)})
            return {name: value.value for name, value in score_row(folder, self.test, self.metrics).scores.items()}

        return by_main_process(scores) | {"seed": settings.seed}

    def table(self, published: Path, rows: list[str], columns: dict[str, str], measure: Callable[[str], Result]) -> str:
        """The paper's table and our rows."""
        ours = {}
        for row in rows:
            result = once(self.work / f"{row}.json", lambda row=row: measure(row))
            name = f"ours {row.upper()} (seed {result['seed']:.0f}, {result['seconds']:.0f} s)"
            ours[name] = {column: result[key] for column, key in columns.items() if key in result}
        return table_with_ours(published, ours)


def main() -> None:
    """Parse the command line and run the recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", metavar="CORPUS")
    parser.add_argument("--work", type=Path, default=Path("runs/fpdm/ablations-small"))
    parser.add_argument("--configs", type=Path, default=HOME / "configs" / "fpdm" / "ablations" / "small")
    parser.add_argument("--split", default="test")
    parser.add_argument("--clips", type=int, help="only so many test clips")
    parser.add_argument("--rows", nargs="*", default=[*FUSIONS, *DIFFUSIONS], choices=[*FUSIONS, *DIFFUSIONS])
    parser.add_argument("--metrics", nargs="*", default=METRICS, help="of the rendered clips")
    parser.add_argument("--set", nargs="*", default=[], metavar="[STAGE:]KEY=VALUE", help="settings of the trainings")
    arguments = parser.parse_args()
    data = [f"data.roots=[{','.join(arguments.corpora)}]", f"validation=[{arguments.corpora[0]}]"]
    with one_line_errors():
        test = open_corpus(arguments.corpora, arguments.split)[: arguments.clips]
        ablations = Ablations(arguments, data + arguments.set, test)
        fusions, diffusions = ([row for row in rows if row in arguments.rows] for rows in (FUSIONS, DIFFUSIONS))
        tables = [ablations.table(PUBLISHED / "ipf_retrieval.csv", fusions, RETRIEVAL, ablations.fusion)]
        published = PUBLISHED / "diffusion_ablation_512x352.csv"
        tables.append(ablations.table(published, diffusions, DIFFUSION, ablations.diffusion))
        if is_main_process():
            print(*tables, SHARED_NOISE, sep="\n")


if __name__ == "__main__":
    main()
