"""Two processes are the same training as one, and each recipe goes its way with them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from signgen.systems.fpdm.pipeline import FPDMPipeline
from tests.tiny_training import CONFIGS, TrainTiny

SCRIPT = Path(__file__).with_name("one_of_several.py")
HOME = SCRIPT.parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def torchrun(*command: object) -> str:
    """What two processes of a command print."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(HOME), "CUDA_VISIBLE_DEVICES": ""}
    finished = subprocess.run(
        [*TORCHRUN, *map(str, command)], env=environment, capture_output=True, text=True, timeout=500
    )
    assert finished.returncode == 0, finished.stderr[-3000:]
    return finished.stdout


def weights(model: Path) -> dict[str, dict[str, torch.Tensor]]:
    return {str(path.relative_to(model)): load_file(path) for path in sorted(model.rglob("*.safetensors"))}


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the processes of `torchrun` compute: more threads add up in another order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", ["autoencoder", "fusion", "diffusion", "distill"])
def test_two_processes_are_the_same_training_as_one(
    kind: str,
    train_tiny: TrainTiny,
    trained_parts: list[str],
    tiny_pipeline: FPDMPipeline,
    small_corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny_pipeline.save_pretrained(tmp_path / "teacher")
    parts = {"diffusion": trained_parts, "distill": [f"teacher={tmp_path / 'teacher'}"]}.get(kind, [])
    given = ["steps=3", "optimizer.warmup=0", "data.preload=false", "batch_size=4", *parts]
    fixed = [f"output={tmp_path / 'two'}", f"data.roots=[{small_corpus}]", "validation=[]", "log_every=1"]
    torchrun(SCRIPT, kind, CONFIGS / f"{kind}.yaml", *fixed, *given)

    monkeypatch.setattr(nn.Dropout, "forward", lambda self, values: values)
    one = train_tiny(kind, tmp_path / "one", *given)
    lines = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(one) == [1, 2, 3]
    for line in lines:
        for name in ("loss", "gradient"):
            assert line[name] == pytest.approx(one[line["step"]][name], rel=1e-4), (name, line["step"])
    ours, theirs = weights(tmp_path / "two" / "model"), weights(tmp_path / "one" / "model")
    torch.testing.assert_close(ours, theirs, rtol=0, atol=2e-4)  # AdamW's first steps are of about its rate, 1e-3
    if kind == "autoencoder":
        scaling = [json.loads((tmp_path / run / "model" / "config.json").read_text()) for run in ("one", "two")]
        assert scaling[1]["scaling_factor"] == pytest.approx(scaling[0]["scaling_factor"], rel=1e-4)


@pytest.mark.slow
def test_the_command_line_prints_one_json_object(small_corpus: Path, tmp_path: Path) -> None:
    given = [f"output={tmp_path}", f"data.roots=[{small_corpus}]", "validation=[]", "steps=1", "data.preload=false"]
    out = torchrun("-m", "signgen", "train", "autoencoder", CONFIGS / "autoencoder.yaml", *given, "--json")
    assert json.loads(out)["step"] == 1


@pytest.mark.slow
def test_a_recipe_from_end_to_end(small_corpus: Path, tmp_path: Path) -> None:
    given = [small_corpus, "--work", tmp_path, "--configs", CONFIGS, "--pairs", 4]
    given += ["--set", "steps=1", "batch_size=2", "validation=[]", "data.preload=false", "data.workers=0"]
    given += ["--benchmark", "split=train", "clips=1", "metrics=[ssim]", "calibration=[]"]
    out = torchrun(HOME / "pipelines" / "pcdm_phoenix14t.py", *given)
    stages = ["autoencoder", "fusion", "pcdm-prior", "pcdm-inpaint", "coarse", "pcdm-refine", "method"]
    assert [line.split()[0] for line in out.splitlines()[:7]] == stages
    assert out.count("method") == 1
    again = torchrun(HOME / "pipelines" / "pcdm_phoenix14t.py", *given)
    assert again == out[out.index("method") :]
