"""Verbs that write, killed at any moment and started again: the result is that of the run that nobody disturbed."""

import hashlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from signgen.cli import main
from signgen.evaluation.benchmark_settings import BenchmarkSettings
from signgen.export import ExportSettings, Gate
from signgen.io.config import to_yaml
from signgen.poses import PoseSequence, write_poses
from signgen.video import open_video
from tests.export.conftest import corpus, person  # noqa: F401 (a fixture)

KILLS = int(os.environ.get("KILLS", "3"))
CONFIGS = Path(__file__).parents[2] / "configs" / "tiny"
Command = Callable[[Path], list[str]]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")]


@pytest.fixture
def commands(small_corpus: Path, corpus: Path, tiny_model: Path, tmp_path: Path) -> dict[str, tuple[Command, str]]:  # noqa: F811
    """Of each verb: the command that writes into a folder, and the files there that are the result."""
    write_poses(PoseSequence(person(6, 0), (64, 80), 25.0, "coco-wholebody-133"), tmp_path / "poses.npz")
    video, poses = str(corpus / "videos/train/ada_1.mp4"), str(tmp_path / "poses.npz")

    def benchmark(folder: Path) -> list[str]:
        settings = BenchmarkSettings(output=str(folder / "out"), roots=[str(small_corpus)], split="train")
        settings.model, settings.metrics, settings.clips = str(tiny_model), ["ssim"], 2
        (folder / "config.yaml").write_text(to_yaml(settings))
        return ["benchmark", str(folder / "config.yaml")]

    def export(folder: Path) -> list[str]:
        settings = ExportSettings(output=str(folder / "out"), roots=[str(corpus)], model=str(tiny_model), steps=1)
        settings.gate, settings.signers.per_clip = Gate(estimator="none"), 1
        (folder / "config.yaml").write_text(to_yaml(settings))
        return ["export", str(folder / "config.yaml")]

    def train(folder: Path) -> list[str]:
        given = [f"output={folder / 'out'}", f"data.roots=[{small_corpus}]", "validation=[]", "checkpoint_every=2"]
        resume = ["--resume"] if list(folder.glob("out/checkpoints/step-*")) else []
        return ["train", "fusion", str(CONFIGS / "fusion.yaml"), *given, *resume]

    clips = str(corpus / "videos/train")
    return {
        "render": (
            lambda folder: ["render", video, poses, "-o", str(folder / "out.mp4"), "--model", str(tiny_model)],
            "out.mp4",
        ),
        "poses convert": (lambda folder: ["poses", "convert", poses, "-o", str(folder / "out.pose")], "out.pose"),
        "evaluate": (
            lambda folder: [
                *("evaluate", clips, clips, "--metrics", "ssim,psnr", "--workers", "1"),
                *("--resume", str(folder / "rows"), "--per-clip", str(folder / "out.csv")),
            ],
            "out.csv",
        ),
        "benchmark": (benchmark, "out/rows/**/*.png"),
        "export": (export, "out/videos/**/*.mp4"),
        "train": (train, "out/model/**/*.safetensors"),
    }


@pytest.mark.parametrize("verb", ["render", "poses convert", "evaluate", "benchmark", "export", "train"])
def test_killed_at_any_moment(verb: str, commands: dict[str, tuple[Command, str]], tmp_path: Path) -> None:
    command, result = commands[verb]
    unbroken, killed = tmp_path / "unbroken", tmp_path / "killed"
    unbroken.mkdir()
    killed.mkdir()
    begun = time.monotonic()
    assert started(command(unbroken)) == 0
    duration, chance, kills = time.monotonic() - begun, random.Random(verb), 0
    for attempt in range(3 * KILLS):
        if kills == KILLS:
            break
        if started(command(killed), duration * chance.uniform(0.05, 1.0)) == -signal.SIGKILL:
            kills += 1
        visible = [path for path in killed.glob("*.mp4") if path.exists()]
        for path in visible:
            with open_video(path) as video:
                assert len(video)
            assert path.with_name(path.name + ".json").exists(), attempt
    assert kills
    assert started(command(killed)) == 0
    print(f"\n{verb}: {kills} kills")
    assert contents(killed, result) == contents(unbroken, result)
    assert not list(killed.rglob("*.partial"))


def started(command: list[str], seconds: float | None = None) -> int:
    """Run a verb in a process of its own, killed after so many seconds; returns its status, -9 where it was killed."""
    child = os.fork()
    if not child:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        torch.set_num_threads(1)  # the parent's threads did not come along, and its pool would be waited for
        os._exit(main(command))
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if end is not None and time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(0.002)


def contents(folder: Path, pattern: str) -> dict[str, str]:
    """The files of a result by name, as hashes."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob(pattern) if path.is_file()}
    assert found
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
