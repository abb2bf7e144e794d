"""`signgen render` with the second system: what differs is the source's own pose, and that stages can be kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.pcdm.pipeline import PCDMPipeline
from signgen.video import open_video
from tests.cli.conftest import Cli


@pytest.fixture
def command(tiny_pcdm: PCDMPipeline, tmp_path: Path) -> list[str]:
    tiny_pcdm.save_pretrained(tmp_path / "model")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (53, 45, 3), np.uint8)).save(tmp_path / "frame.png")
    keypoints = np.concatenate([rng.uniform(5, 40, (3, 133, 2)), np.ones((3, 133, 1))], axis=2)
    np.savez(tmp_path / "poses.npz", keypoints=keypoints, size=np.array([45, 53]), fps=np.float32(25))
    inputs = [str(tmp_path / name) for name in ("frame.png", "poses.npz")]
    return ["render", *inputs, "-o", str(tmp_path / "out.mp4"), "--model", str(tmp_path / "model"), "--steps", "1"]


def test_the_sources_pose_is_read_and_stages_are_kept(cli: Cli, command: list[str], tmp_path: Path) -> None:
    given = ["--source-pose", str(tmp_path / "poses.npz"), "--keep-stages", str(tmp_path / "stages")]
    run = cli(*command, *given, "--json")
    assert run.status == 0, run.err
    assert json.loads(run.out)["source_pose"] == str(tmp_path / "poses.npz")
    with open_video(tmp_path / "out.mp4") as video:
        assert len(video) == 3
    kept = sorted(path.name for path in (tmp_path / "stages").iterdir())
    assert kept == [f"{number:06}.{suffix}" for number in range(3) for suffix in ("npy", "png")]
    assert Image.open(tmp_path / "stages" / "000002.png").size == (42, 52)


def test_stages_are_not_kept_of_a_compiled_model(cli: Cli, command: list[str], tmp_path: Path) -> None:
    given = ["--source-pose", tmp_path / "poses.npz", "--keep-stages", tmp_path / "stages", "--compile"]
    run = cli(*command, *given)
    assert run.status == 2
    assert "leave out --compile or --keep-stages" in run.err


def test_other_systems_have_no_stages_to_keep(
    cli: Cli, command: list[str], tiny_pipeline: FPDMPipeline, tmp_path: Path
) -> None:
    tiny_pipeline.save_pretrained(tmp_path / "fpdm")
    run = cli(*command, "--model", tmp_path / "fpdm", "--keep-stages", tmp_path / "stages")
    assert run.status == 2
    assert "has no stages to keep: only PCDMs have" in run.err
    assert not (tmp_path / "out.mp4").exists()
