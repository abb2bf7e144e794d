import base64
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.errors import UserError
from signgen.evaluation import Pairing, evaluate_pairs, pair_clips, write_report
from signgen.evaluation.report import choose, distributions, rank
from signgen.evaluation.report_examples import HEAT_LEVELS, MAX_FRAMES, MeanChange, show_clip
from signgen.evaluation.scores import ClipScores
from signgen.poses import PoseSequence
from signgen.video import open_video

HOSTILE = "</h3><script>alert(1)<!--<img src=http:x onerror='x'>&\"{{ 1 }}"


class Page(HTMLParser):
    """What a page refers to, the tags in it, and its headings."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.headings: list[str] = []
        self._inside = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._inside = tag
        self.references += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "poster")]
        assert not [name for name, _ in attributes if name.startswith("on")]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "h3":
            self.headings.append(data)


def poses(frames: int) -> PoseSequence:
    keypoints = np.full((frames, 133, 3), 20, np.float32)
    keypoints[..., 2] = 1
    return PoseSequence(keypoints, (64, 48), 25.0, "coco-wholebody-133")


def written(pairing: Pairing, path: Path, names: tuple[str, ...] = (), metrics: tuple[str, ...] = ("ssim",)) -> Page:
    sequences = {name: poses(3) for name in names} or None
    write_report(path, evaluate_pairs(pairing, sequences, metrics=metrics), pairing, sequences)
    return Page(path)


def test_nothing_outside_the_page_is_needed_whatever_clips_are_called(write_clip, tmp_path: Path) -> None:
    names = (HOSTILE, "plain", "übung 1")
    for seed, name in enumerate(names):
        write_clip(f"g/{name}", seed=seed), write_clip(f"r/{name}", seed=seed + 10)
    write_clip(f"r/{HOSTILE}2")
    pairing = pair_clips(tmp_path / "g", tmp_path / "r")
    page = written(pairing, tmp_path / "out.html", names, ("ssim", "hand-ssim", "flicker", "hand-pe"))
    assert all(reference.startswith("data:") for reference in page.references)
    assert "script" not in page.tags
    assert sorted(page.headings) == sorted(names)
    text = (tmp_path / "out.html").read_text()
    assert not [way for way in ("://", "url(", "@import") if way in text]
    assert page.tags.count("video") == 3
    assert page.tags.count("img") == 3 * (2 + 2 * 6)  # heat maps and six hands each


def test_the_video_shows_all_columns(write_clip, tmp_path: Path) -> None:
    a, b = write_clip("a"), write_clip("b", seed=1)
    pair = pair_clips(a, b).pairs[0]
    for sequence, columns in ((None, 3), (poses(3), 4)):
        shown = show_clip(pair, sequence)
        assert len(shown.columns) == columns
        kind, content = shown.video.split(",")
        assert kind == "data:video/mp4;base64"
        (tmp_path / "back.mp4").write_bytes(base64.b64decode(content))
        with open_video(tmp_path / "back.mp4") as video:
            assert (len(video), video.size) == (3, (64 * columns, 48))


def test_long_clips_are_cut_and_high_ones_scaled(write_clip, tmp_path: Path) -> None:
    long = write_clip("long", MAX_FRAMES + 5, (8, 8))
    assert show_clip(pair_clips(long, long).pairs[0], None).frames == MAX_FRAMES
    high = write_clip("high", 1, (100, 520))
    (tmp_path / "back.mp4").write_bytes(
        base64.b64decode(show_clip(pair_clips(high, high).pairs[0], None).video.partition(",")[2])
    )
    with open_video(tmp_path / "back.mp4") as video:
        assert video.size == (150, 260)


def test_identical_clips_and_single_ones_have_a_page(write_clip, tmp_path: Path) -> None:
    for name in "ab":
        write_clip(f"g/{name}"), write_clip(f"r/{name}")
    write_clip("g/a2", 1), write_clip("r/a2", 1, seed=3)
    metrics = ("psnr", "tcd")  # infinite for identical frames; undefined for a single one
    written(pair_clips(tmp_path / "g", tmp_path / "r"), tmp_path / "set.html", metrics=metrics)
    assert "∞" in (tmp_path / "set.html").read_text()
    written(pair_clips(tmp_path / "g/a", tmp_path / "r/a"), tmp_path / "one.html", metrics=metrics)
    assert "<svg" not in (tmp_path / "one.html").read_text()


def test_details_stay_out_of_the_table(write_clip, tmp_path: Path, monkeypatch) -> None:
    from signgen.metrics import METRICS, HandPE
    from tests.metrics.test_hand_pose import BrightestPoint

    monkeypatch.setitem(METRICS, "hand-pe", lambda: HandPE(BrightestPoint))
    pairing = pair_clips(write_clip("a"), write_clip("b", seed=1))
    written(pairing, tmp_path / "out.html", ("b",), ("hand-pe",))
    text = (tmp_path / "out.html").read_text()
    assert "In detail: hand-pe-thumb-1 to hand-pe-little-4" in text
    assert "<td>hand-pe-index " in text
    assert "<td>hand-pe-index-1 " not in text


def test_a_failure_leaves_the_old_page(write_clip, tmp_path: Path) -> None:
    a = write_clip("a")
    pairing = pair_clips(a, a)
    result = evaluate_pairs(pairing, metrics=["ssim"])
    (tmp_path / "out.html").write_text("old")
    (a / "1.png").write_bytes(b"no image")
    with pytest.raises(UserError):
        write_report(tmp_path / "out.html", result, pairing)
    assert (tmp_path / "out.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".partial")] == []


@pytest.mark.parametrize("count", [1, 2, 3, 5, 9])
def test_worst_and_best_are_different_clips(count: int) -> None:
    chosen = choose([ClipScores(str(i), 1, (1, 1)) for i in range(count)])
    names = [clip.name for _, clip in chosen]
    assert len(set(names)) == len(names) == min(count, 5)
    assert names[0] == "0"
    assert count == 1 or names[[why for why, _ in chosen].index("best")] == str(count - 1)


def test_worst_first_whichever_way_is_better(write_clip, tmp_path: Path) -> None:
    for i in range(3):
        write_clip(f"g/{i}", seed=i)
        write_clip(f"r/{i}", seed=i + (i > 0))
    pairing = pair_clips(tmp_path / "g", tmp_path / "r")
    found = evaluate_pairs(pairing, metrics=["psnr", "ssim"])
    name, ranked = rank(found)
    assert name == "ssim"
    assert ranked[-1].name == "0"
    (plot,) = [each for each in distributions(found) if each.quantity.name == "psnr"]
    assert (sum(plot.bins), plot.left_out) == (2, 1)
    assert plot.place(float("inf")) == plot.WIDTH


def test_mean_change_is_per_pixel_and_monotone() -> None:
    mean = MeanChange()
    for level in (100, 104, 100):
        frame = np.full((2, 3, 3), 100, np.uint8)
        frame[0] = level
        mean.add(frame)
    image = mean.image()
    assert (image[1] == (0, 0, 10)).all()
    assert (image[0] == (190, 50, 80)).all()  # 4 of HEAT_LEVELS: half way on a square root's scale
    assert HEAT_LEVELS == 16


@pytest.mark.slow
def test_a_browser_shows_the_video(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium here")
    for tree, colour in (("g", (255, 0, 255)), ("r", (0, 90, 0))):
        (tmp_path / tree).mkdir()
        for i in range(3):
            Image.new("RGB", (64, 48), colour).save(tmp_path / tree / f"{i}.png")
    written(pair_clips(tmp_path / "g", tmp_path / "r"), tmp_path / "out.html")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1100,1200", "--virtual-time-budget=4000"]
    shot = tmp_path / "shot.png"
    subprocess.run([browser, *options, f"--screenshot={shot}", f"file://{tmp_path}/out.html"], check=True, timeout=100)
    seen = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    for colour in ((255, 0, 255), (0, 90, 0)):
        assert (np.abs(seen - colour).max(-1) < 16).sum() > 5000
