import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from signgen.data import first_frame_protocol, open_corpus
from signgen.errors import UserError
from signgen.evaluation.baselines import reconstructed, rendered
from signgen.evaluation.benchmark import Benchmark, run_benchmark
from signgen.evaluation.benchmark_protocol import SHARED_NOISE
from signgen.evaluation.benchmark_settings import BenchmarkSettings, Paper
from signgen.models.autoencoder import encode
from signgen.rendering.generator import render
from signgen.systems.fpdm.pipeline import FPDMPipeline

TABLE = "method,ssim,hand_ssim,psnr,source\nOthers,0.5,,20.25,a paper\n"


@pytest.fixture
def settings(small_corpus: Path, tiny_model: Path, tmp_path: Path) -> BenchmarkSettings:
    (tmp_path / "table.csv").write_text(TABLE)
    columns = {"ssim": "ssim", "hand_ssim": "hand-ssim", "psnr": "psnr"}
    return BenchmarkSettings(
        output=str(tmp_path / "out"),
        roots=[str(small_corpus)],
        split="train",
        model=str(tiny_model),
        metrics=["ssim", "hand-ssim"],
        paper=Paper(table=str(tmp_path / "table.csv"), columns=columns),
    )


def test_our_rows_between_those_that_calibrate_them(settings: BenchmarkSettings, tmp_path: Path) -> None:
    found = run_benchmark(settings)
    assert list(found.rows) == ["ground truth", "autoencoder", "first frame warped", "first frame copied", "tiny"]
    assert found.value("ground truth", "ssim") == pytest.approx(1)
    assert found.value("first frame copied", "ssim") < 1
    assert math.isnan(found.value("tiny", "psnr"))  # was not asked for
    assert all(sum(clip.frames for clip in row.clips) == 20 for row in found.rows.values())
    assert [(row.method, row.values["psnr"], row.source) for row in found.published] == [("Others", 20.25, "a paper")]
    written = json.loads((tmp_path / "out" / "benchmark.json").read_text())
    assert written == json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert "signgen benchmark: tiny" in (tmp_path / "out" / "report.html").read_text()
    copies = sorted((tmp_path / "out" / "rows" / "first frame copied" / "bo_clip0").iterdir())
    assert len(copies) == 5
    assert len({path.read_bytes() for path in copies}) == 1


def test_the_autoencoder_row_is_what_the_model_could_reach(
    settings: BenchmarkSettings, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model larger than the frames decodes larger ones, which are then made smaller: so must its ceiling."""
    sizes = []

    def seen(vae: object, images: Tensor) -> Tensor:
        sizes.append(tuple(images.shape[-2:]))
        return encode(vae, images)

    monkeypatch.setattr("signgen.evaluation.baselines.encode", seen)
    pipeline = FPDMPipeline.from_pretrained(tiny_model)
    pipeline.register_to_config(image_size=(160, 128))
    clip = next(first_frame_protocol(open_corpus(settings.roots, "train")))
    rows = list(reconstructed(pipeline, "squash")(clip))
    assert set(sizes) == {(160, 128)}
    assert [row.shape for row in rows] == [(80, 64, 3)] * 6


def test_rows_are_the_models_own(settings: BenchmarkSettings, tiny_model: Path) -> None:
    pipeline = FPDMPipeline.from_pretrained(tiny_model)
    clip = next(first_frame_protocol(open_corpus(settings.roots, "train")))
    alone = list(render(pipeline, clip.first_frame, clip.poses, source_pose=clip.poses[:1]))
    assert all((a == b).all() for a, b in zip(rendered(pipeline)(clip), alone, strict=True))


def test_rendered_clips_are_kept(settings: BenchmarkSettings, tmp_path: Path) -> None:
    settings.calibration = []
    whole = run_benchmark(settings)
    row = tmp_path / "out" / "rows" / "tiny"
    old = row / "alba_clip0" / "000000.png"
    (row / "bo_clip0").rename(tmp_path / "elsewhere")
    before = old.stat().st_mtime_ns
    again = run_benchmark(settings)
    assert old.stat().st_mtime_ns == before
    assert len(list((row / "bo_clip0").iterdir())) == 5
    assert again.value("tiny", "ssim") == pytest.approx(whole.value("tiny", "ssim"), abs=1e-6)
    assert math.isnan(run_benchmark(settings).speeds["tiny"])
    settings.seed = 1
    with pytest.raises(UserError, match=r'made with other settings .*"seed": 0'):
        run_benchmark(settings)


def test_frames_of_any_system(settings: BenchmarkSettings, tmp_path: Path) -> None:
    settings.frames, settings.calibration, settings.model = str(tmp_path / "theirs"), ["first frame copied"], "none"
    for name in ("alba_clip0", "stranger"):
        (tmp_path / "theirs" / name).mkdir(parents=True)
        for i in range(6):
            image = np.full((80, 64, 3), 20 + 10 * i, np.uint8)
            Image.fromarray(image).save(tmp_path / "theirs" / name / f"{i}.png")
    found = run_benchmark(settings)
    row = found.rows["theirs"]
    assert [clip.name for clip in row.clips] == ["alba_clip0"]
    assert (row.only_generated, row.only_reference) == (["stranger"], ["alba_clip1", "bo_clip0"])
    assert found.value("theirs", "ssim") > found.value("first frame copied", "ssim")
    settings.frames = str(tmp_path / "theirs" / "stranger")
    with pytest.raises(UserError, match=r"no rendered clip .* is called as one of the corpus"):
        run_benchmark(settings)


def warnings_of(settings: BenchmarkSettings) -> list[str]:
    settings.calibration, settings.clips, settings.metrics = [], 1, ["ssim"]
    found: Benchmark = run_benchmark(settings)
    return found.warnings


def test_frames_that_the_authors_published_calibrate_and_a_column_may_stay_empty(
    settings: BenchmarkSettings, tmp_path: Path
) -> None:
    settings.frames = settings.paper.published_frames = str(tmp_path / "theirs")
    settings.calibration, settings.paper.columns["hand_ssim"] = [], ""
    clip = tmp_path / "theirs" / "alba_clip0"
    clip.mkdir(parents=True)
    for i in range(6):
        Image.fromarray(np.full((80, 64, 3), 20 + 10 * i, np.uint8)).save(clip / f"{i}.png")
    found = run_benchmark(settings)
    assert list(found.rows) == ["published frames", "theirs"]
    assert found.value("published frames", "ssim") == found.value("theirs", "ssim") > 0
    assert found.rows["theirs"]["hand-ssim"] > 0
    assert math.isnan(found.value("theirs", "hand_ssim"))


def test_what_differs_from_the_paper_is_said(settings: BenchmarkSettings) -> None:
    settings.paper.split, settings.paper.frames, settings.paper.size = "train", 6, "64x80"
    settings.steps, settings.paper.steps = 2, 2
    assert warnings_of(settings) == [SHARED_NOISE]
    settings.paper.split, settings.paper.frames, settings.paper.size = "test", 64627, "210x260"
    settings.paper.steps, settings.start = 20, 1
    settings.paper.differences = {"psnr": "another range"}
    assert warnings_of(settings) == [
        "split train, the paper's is test",
        "5 frames, the paper has 64,627",
        "frames from 1 on, the paper's are all",
        "frames of 64x80, the paper's are 210x260",
        "steps 2, the paper's is 20",
        SHARED_NOISE,
        "psnr: another range",
    ]


def test_what_cannot_be_run_is_one_line(settings: BenchmarkSettings, small_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"roots=\[CORPUS\]"):
        BenchmarkSettings(output="x")
    with pytest.raises(UserError, match="unknown row 'warp'"):
        BenchmarkSettings(output="x", roots=["x"], calibration=["warp"])
    for text in ("", "a,b\n1,2\n", "method,ssim,source\nX,high,here\n"):
        (tmp_path / "table.csv").write_text(text)
        with pytest.raises(UserError, match=r"table\.csv"):
            run_benchmark(settings)
    settings.paper.table = ""
    settings.roots = [str(small_corpus)] * 2
    with pytest.raises(UserError, match="two clips are called alba_clip0"):
        run_benchmark(settings)
