"""Two processes train as one with the doubled batch does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from torch import nn

from signgen.systems.fpdm.pipeline import FPDMPipeline
from tests.tiny_training import CONFIGS, TrainTiny

SCRIPT = Path(__file__).with_name("one_of_several.py")
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["autoencoder", "fusion", "diffusion", "distill"])
def test_two_processes_are_one_with_the_doubled_batch(
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
    given = ["steps=4", "optimizer.warmup=0", "data.preload=false", *parts]
    fixed = [f"output={tmp_path / 'two'}", f"data.roots=[{small_corpus}]", "validation=[]", "log_every=1"]
    command = [*TORCHRUN, SCRIPT, kind, CONFIGS / f"{kind}.yaml", *fixed, *given, "batch_size=3"]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(SCRIPT.parents[2]),
        "CUDA_VISIBLE_DEVICES": "",
    }
    finished = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True, timeout=300)
    assert finished.returncode == 0, finished.stderr[-3000:]

    monkeypatch.setattr(nn.Dropout, "forward", lambda self, values: values)
    one = train_tiny(kind, tmp_path / "one", *given, "batch_size=6")
    lines = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(one) == [1, 2, 3, 4]
    for line in lines:
        for name in ("loss", "gradient"):
            assert line[name] == pytest.approx(one[line["step"]][name], rel=1e-4), (name, line["step"])
    assert (tmp_path / "two" / "model").is_dir()
