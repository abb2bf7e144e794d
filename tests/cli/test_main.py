import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import typer

import signgen
from signgen.cli import app, main
from signgen.errors import UserError
from tests.cli.conftest import Cli
from tests.conftest import REPOSITORY

HEAVY = {"torch", "diffusers", "transformers", "av", "numpy", "PIL", "scipy", "torchmetrics", "omegaconf"}


def python(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *args], capture_output=True, text=True, timeout=60)


def test_importing_the_command_line_brings_nothing_heavy() -> None:
    done = python("-c", "import signgen.cli, sys, json; print(json.dumps(sorted(sys.modules)))")
    modules = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert "typer" in modules
    assert not modules & HEAVY


def test_help_and_version(cli: Cli) -> None:
    assert cli("--version") == (0, f"signgen {signgen.__version__}\n", "")
    for args in ([], ["--help"]):
        run = cli(*args)
        assert run.status == 0
        assert "render" in run.out
    for verb in ("render", "demo", "train", "evaluate", "benchmark", "poses", "data", "models", "config"):
        assert cli(verb, "--help").status == 0


def test_the_readme_names_verbs_and_options_that_exist(cli: Cli) -> None:
    lines = re.findall(r"^    (signgen .+)$", (REPOSITORY / "README.md").read_text(), re.MULTILINE)
    assert len(lines) > 15
    for line in lines:
        words = line.split()[1:]
        verb = words[:2] if words[0] in ("poses", "data", "models", "config") else words[:1]
        run = cli(*verb, "--help")
        assert run.status == 0, line
        for option in [word for word in words if re.match("--?[a-z]", word)]:
            assert re.search(rf"{option}\b", run.out), line


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["rendr"], "No such command 'rendr'"),
        (["models"], "Missing command (see signgen models --help)"),
        (["render", "a.png"], "Missing argument 'POSES' (see signgen render --help)"),
        (["render", "a.png", "b.npz"], "Missing option '-o' / '--output'"),
        (["demo", "--sed", "3"], "No such option: --sed"),
        (["demo", "--seed", "many"], "Invalid value for '--seed'"),
        (
            ["train", "everything", "config.yaml"],
            "'everything' is not one of 'autoencoder', 'fusion', 'diffusion'",
        ),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(cli: Cli, args: list[str], message: str) -> None:
    status, out, err = cli(*args)
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("signgen: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (UserError("frame.png: no such image"), 2, "frame.png: no such image"),
        (PermissionError(13, "Permission denied", "poses.npz"), 2, "poses.npz: Permission denied"),
        (OSError(28, "No space left on device"), 1, "the disk is full: [Errno 28] No space left on device"),
        (OSError(5, "Input/output error"), 1, "Input/output error"),
        (MemoryError(), 1, "out of memory, try a smaller --batch-size: MemoryError"),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate"), 1, "out of memory"),
        (ZeroDivisionError("division\nby zero"), 1, "internal error, ZeroDivisionError: division (--debug"),
        (KeyboardInterrupt(), 130, None),
        (typer.Exit(7), 7, None),
    ],
)
def test_failures_have_their_status_and_one_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, message: str | None
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(app, "registered_commands", [typer.models.CommandInfo("fail", callback=fail)])
    run = cli("fail")
    assert (run.status, run.out) == (status, "")
    if message is None:
        assert run.err == ""
    else:
        assert message in run.err
        assert run.err.count("\n") == 1
        assert "Traceback" in cli("fail", "--debug").err


def test_terminating_unwinds_the_stack_and_restores_the_handler(monkeypatch: pytest.MonkeyPatch) -> None:
    unwound = []

    def wait() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        finally:
            unwound.append(True)

    monkeypatch.setattr(app, "registered_commands", [typer.models.CommandInfo("wait", callback=wait)])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit, match="143"):
        main(["wait"])
    assert unwound == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_installed_command(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("signgen")
    done = subprocess.run([command, "render", "no.png", "no.npz", "-o", "out.mp4"], capture_output=True, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == b"signgen: no.png: no such image\n"
    assert done.stdout == b""
    assert not list(tmp_path.iterdir())
