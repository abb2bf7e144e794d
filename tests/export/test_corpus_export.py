import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from signgen.data import open_corpus
from signgen.data.corpus_check import check_corpus
from signgen.errors import UserError
from signgen.export import ExportSettings, estimate, export_corpus
from signgen.export.export_folder import ExportFolder
from signgen.export.jobs import make_plan, plan_hash
from signgen.io.config import to_yaml
from signgen.poses.extraction import ESTIMATORS
from signgen.video import open_video

MAIN = "import sys; from signgen.cli import main; sys.exit(main())"


def manifest(settings: ExportSettings) -> list[dict]:
    return [json.loads(line) for line in Path(settings.output, "manifest.jsonl").read_text().splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_every_clip_by_every_other_signer(settings: ExportSettings) -> None:
    settings.signers.per_clip = 0
    jobs = make_plan(settings)
    assert len(jobs) == 4 * 2 * 2
    assert all(job.signer.name != job.clip.speaker for job in jobs)
    assert {job.signer.clip.name for job in jobs} == {"ada_1", "bo_1", "cy_1"}
    assert plan_hash(make_plan(settings)) == plan_hash(jobs)
    settings.signers.names = ["cy"]
    alone = {job.name: job for job in make_plan(settings)}
    assert all(alone[job.name] == job for job in jobs if job.name in alone)  # no draw depends on other jobs
    settings.seed = 1
    assert plan_hash(make_plan(settings)) != plan_hash(alone.values())


def test_the_corpus_that_comes_out(settings: ExportSettings, tiny_model: Path) -> None:
    settings.formats, settings.clips_per_shard = ["phoenix", "huggingface", "webdataset"], 3
    result = export_corpus(settings)
    assert (result.clips, result.rendered_now, result.status) == (8, 8, {"written": 8})
    assert result.quality == {"not measured": 8}
    rows = manifest(settings)
    out = Path(settings.output)
    corpus = open_corpus(out, "train")
    assert [clip.name for clip in corpus] == [row["name"] for row in rows]
    assert check_corpus(corpus) == []
    for clip, row in zip(corpus, rows, strict=True):
        assert (clip.speaker, clip.gloss, clip.text) == (row["speaker"], "A B", "hello ä")
        assert row["speaker"] != row["source_speaker"] == row["source"].split("_")[0]
        assert row["model_sha256"]
        with clip.open() as video:
            assert (len(video), video.fps, video.size) == (row["frames"], row["fps"], tuple(row["size"]))
    shards = sorted((out / "shards").glob("*.tar"))
    members = []
    for shard in shards:
        with tarfile.open(shard) as tar:
            members.append(tar.getnames())
    assert [len(names) for names in members] == [9, 9, 6]
    keys = [name.split(".")[0] for names in members for name in names[::3]]
    assert keys == [row["name"] for row in rows]


def test_finished_clips_are_kept_and_nothing_changes(settings: ExportSettings) -> None:
    settings.formats.append("webdataset")
    export_corpus(settings)
    before = contents(Path(settings.output))
    store, job = ExportFolder(settings, {}), make_plan(settings)[3]
    store._row_path(job).unlink()  # as if killed between the clip's files and its row
    Path(settings.output, "manifest.jsonl").unlink()
    (store.root / "videos" / ".x.partial").mkdir()
    again = export_corpus(settings)
    assert again.rendered_now == 1
    assert contents(Path(settings.output)) == before
    assert estimate(settings).done == 8
    settings.seed = 1
    with pytest.raises(UserError, match="made with other settings"):
        export_corpus(settings)


def test_frames_instead_of_videos(settings: ExportSettings) -> None:
    settings.media, settings.formats, settings.clips = "frames", ["phoenix"], 1
    export_corpus(settings)
    (row, _) = manifest(settings)
    corpus = open_corpus(settings.output, "train")
    assert corpus[0].frames == Path(settings.output, row["file"])
    assert check_corpus(corpus) == []
    assert (corpus[0].frames / "images0001.png").is_file()


def test_precision_is_a_setting(settings: ExportSettings, tmp_path: Path) -> None:
    settings.clips, settings.variations = 1, settings.variations[:1]
    hashes = []
    for dtype in ("float32", "bfloat16"):
        settings.dtype, settings.output = dtype, str(tmp_path / dtype)
        export_corpus(settings)
        hashes += [row["frames_sha256"] for row in manifest(settings)]
    assert len(set(hashes)) == 2
    settings.output = str(tmp_path / "float32")
    with pytest.raises(UserError, match="made with other settings"):
        export_corpus(settings)
    with pytest.raises(UserError, match="dtype: 'float64' is none of"):
        ExportSettings(output="x", roots=["y"], dtype="float64")


def test_the_estimate(settings: ExportSettings) -> None:
    settings.variations = settings.variations[:1]
    found = estimate(settings)
    assert (found.clips, found.frames, found.done) == (4, 18, 0)
    assert found.hours == pytest.approx(18 / 25 / 3600, abs=1e-4)
    assert found.bytes > 0
    settings.fps = 12.5
    assert estimate(settings).frames == 9  # 5, 4, 6 and 3 halved, to even


def test_a_broken_clip_is_recorded_and_tried_again(settings: ExportSettings, corpus: Path) -> None:
    video = corpus / "videos" / "train" / "bo_1.mp4"
    hidden = video.rename(video.with_suffix(".away"))
    try:
        settings.signers.names, settings.signers.per_clip = ["cy"], 0
        result = export_corpus(settings)
    finally:
        hidden.rename(video)
    assert result.status == {"written": 4, "failed": 2}
    assert any("bo_1.mp4: no such video" in reason for reason in result.reasons)
    assert len(open_corpus(settings.output, "train")) == 4
    assert export_corpus(settings).status == {"written": 6}


def estimator(hands: bool) -> Callable[..., object]:
    """Finds a body in the middle of the image, and hands or none."""

    @contextmanager
    def opened(device: str) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
        points = np.zeros((133, 3))
        points[:11] = (32, 40, 1)
        points[91:] = (32, 40, hands)
        yield lambda frame: points

    return opened


@pytest.mark.parametrize(("hands", "action", "status"), [(False, "drop", "dropped"), (False, "mark", "written")])
def test_the_gate(
    settings: ExportSettings, monkeypatch: pytest.MonkeyPatch, hands: bool, action: str, status: str
) -> None:
    monkeypatch.setitem(ESTIMATORS, "mediapipe", estimator(hands))
    settings.gate.estimator, settings.gate.action, settings.gate.max_body_error = "mediapipe", action, 9
    settings.clips = 1
    if status == "dropped":
        with pytest.raises(UserError, match=r"no clip could be exported: hands found 0\.0 < 0\.5"):
            export_corpus(settings)
        assert not list(Path(settings.output).rglob("*.mp4"))
    else:
        result = export_corpus(settings)
        assert result.quality == {"bad": 2}
        assert result.reasons == {"hands found 0.0 < 0.5": 2}
    assert [row["status"] for row in manifest(settings)] == [status] * 2
    assert manifest(settings)[0]["scores"]["body_error"] > 0


def test_an_estimator_that_is_not_there_is_said(settings: ExportSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def missing(device: str) -> Iterator[None]:
        raise UserError("not installed here")
        yield

    monkeypatch.setitem(ESTIMATORS, "mediapipe", missing)
    settings.gate.estimator, settings.clips = "mediapipe", 1
    result = export_corpus(settings)
    assert (result.quality, result.reasons) == ({"not measured": 2}, {"not installed here": 2})


def test_one_export_at_a_time(settings: ExportSettings) -> None:
    store = ExportFolder(settings, {})
    with store.locked(), pytest.raises(UserError, match="another signgen is writing there"):
        export_corpus(settings)


def test_what_cannot_be_exported_is_one_line(settings: ExportSettings) -> None:
    for change, message in (
        ({"speakers": ["di"]}, "no clip of speaker di"),
        ({"split": "dev"}, "no split 'dev'"),
        ({"split": "evening"}, "formats with phoenix know train, dev, test"),
        ({"model": "nothing"}, "unknown model 'nothing'"),
    ):
        changed = ExportSettings(**{**settings.__dict__, **change})
        with pytest.raises(UserError, match=message):
            export_corpus(changed)
    with pytest.raises(UserError, match="media=frames goes with"):
        ExportSettings(**{**settings.__dict__, "media": "frames"})


def test_huggingface_reads_it(settings: ExportSettings) -> None:
    datasets = pytest.importorskip("datasets", reason="the package datasets is not installed")
    settings.clips = 2
    export_corpus(settings)
    loaded = datasets.load_dataset(settings.output, split="train", cache_dir=settings.output + "-cache")
    rows = {row["name"]: row for row in manifest(settings)}
    assert len(loaded) == len(rows) == 4
    for sample in loaded.cast_column("video", datasets.Video(decode=False)):
        row = rows[sample["name"]]
        assert (sample["gloss"], sample["speaker"]) == (row["gloss"], row["speaker"])
        with open_video(sample["video"]["path"]) as video:
            assert len(video) == row["frames"]


def test_webdataset_reads_it(settings: ExportSettings) -> None:
    webdataset = pytest.importorskip("webdataset", reason="the package webdataset is not installed")
    settings.clips, settings.formats = 2, ["webdataset"]
    export_corpus(settings)
    shards = [str(path) for path in sorted(Path(settings.output, "shards").glob("*.tar"))]
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode())
    assert [sample["__key__"] for sample in samples] == [row["name"] for row in manifest(settings)]
    assert all(sample["json"]["gloss"] == "A B" and sample["npz"]["keypoints"].shape[1] == 133 for sample in samples)


@pytest.mark.slow
def test_killed_at_any_moment_the_same_comes_out(settings: ExportSettings, tmp_path: Path) -> None:
    settings.signers.per_clip, settings.clips_per_shard = 0, 4
    settings.formats = ["phoenix", "huggingface", "webdataset"]
    outputs = []
    for name in ("unbroken", "killed"):
        settings.output = str(tmp_path / name)
        config = tmp_path / f"{name}.yaml"
        config.write_text(to_yaml(settings))
        outputs.append((config, Path(settings.output)))
    (config, unbroken), (killed_config, killed) = outputs
    start = time.monotonic()
    assert run(config).wait() == 0
    duration, rng, kills = time.monotonic() - start, np.random.default_rng(0), 0
    for share in (0.5, 0.8, 0.95, 0.9):
        process = run(killed_config)
        time.sleep(duration * share * rng.uniform(0.9, 1.1))
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert kills >= 2
    assert run(killed_config).wait() == 0
    ours, theirs = contents(killed), contents(unbroken)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == ["config.yaml"]  # which names the output


def run(config: Path) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", MAIN, "export", str(config)], env=environment)


@pytest.mark.slow
def test_several_processes_make_the_same(settings: ExportSettings, tmp_path: Path) -> None:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(2)  # one each
    settings.devices = ["cpu", "cpu"]
    try:
        export_corpus(settings)
        several, settings.output, settings.devices = manifest(settings), str(tmp_path / "one"), ["cpu"]
        torch.set_num_threads(1)
        export_corpus(settings)
    finally:
        torch.set_num_threads(threads)
    assert manifest(settings) == several
