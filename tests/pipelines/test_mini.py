import runpy
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import AutoencoderKL

from signgen.io.model_folder import load_component
from signgen.systems.fpdm.pipeline import FPDMPipeline

SCRIPT = Path(__file__).parents[2] / "pipelines" / "mini.py"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    AcceleratorState._reset_state(reset_partial_state=True)
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *map(str, arguments)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_the_recipe_makes_a_packaged_model_and_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    small_corpus: Path,
    tmp_path: Path,
) -> None:
    arguments = [small_corpus, "--work", tmp_path / "work", "--output", tmp_path / "model", "--size", "tiny"]
    arguments += ["--set", "steps=1", "validation=[]", "data.preload=false"]
    run(monkeypatch, *arguments)
    stages = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert stages == ["autoencoder", "decoder", "fusion", "diffusion", "distill"]
    pipeline = FPDMPipeline.from_pretrained(tmp_path / "model")
    assert pipeline.unet.dtype == torch.float32  # whatever it is stored as
    tuned = load_component(AutoencoderKL, tmp_path / "work" / "decoder" / "model")
    assert torch.allclose(pipeline.vae.decoder.conv_out.weight, tuned.decoder.conv_out.weight, atol=1e-3)
    assert FPDMPipeline.from_pretrained(tmp_path / "model", dtype=torch.float16).unet.dtype == torch.float16

    run(monkeypatch, *arguments)
    assert capsys.readouterr().out == ""


def test_bad_corpora_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(SystemExit) as stop:
        run(monkeypatch, tmp_path / "nowhere", "--work", tmp_path, "--output", tmp_path / "model", "--size", "tiny")
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert "nowhere" in err
    assert err.count("\n") == 1
