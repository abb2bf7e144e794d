"""What rendering needs is installed with the package; other verbs name the extra that holds what they need."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from signgen.cli import EXTRAS
from signgen.cli.demo import EXAMPLE
from tests.cli.conftest import Cli
from tests.conftest import REPOSITORY

KEPT = ("signgen.cli", "signgen.errors")
NOT_IN_THE_CORE = ("cv2", "gradio", "mediapipe", "omegaconf", "ray", "tensorboard", "torchmetrics")


def test_rendering_needs_no_package_of_an_extra(tmp_path: Path) -> None:
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in NOT_IN_THE_CORE)
    render = ["render", str(EXAMPLE / "signer.png"), str(EXAMPLE / "signer.npz"), "--frames", "0:1", "-o", "out.mp4"]
    script = f"import sys; {blocked}; from signgen.cli import main; sys.exit(main({render!r}))"
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.mp4").exists()


@pytest.fixture
def imported_anew() -> Iterator[None]:
    """What verbs import is imported anew, and asks for its packages again; later tests find everything as it was."""

    def modules() -> dict[str, ModuleType]:
        return {n: module for n, module in sys.modules.items() if n.startswith("signgen.") and not n.startswith(KEPT)}

    before = modules()
    for name in before:
        del sys.modules[name]
    yield
    for name in modules():
        del sys.modules[name]
    sys.modules.update(before)
    for name, module in before.items():
        package, _, child = name.rpartition(".")
        setattr(sys.modules[package], child, module)


@pytest.mark.usefixtures("imported_anew")
@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("omegaconf", ["train", "fusion", "configs/tiny/fusion.yaml"], "train"),
        ("omegaconf", ["benchmark", "configs/benchmark/phoenix14t.yaml"], "evaluate"),
        ("torchmetrics", ["evaluate", "a.mp4", "b.mp4"], "evaluate"),
        ("omegaconf", ["export", "configs/export/phoenix14t.yaml"], "export"),
        ("gradio", ["ui"], "ui"),
    ],
)
def test_a_missing_package_is_one_line_that_names_the_extra(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, package: str, arguments: list[str], extra: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    run = cli(*arguments)
    assert run.status == 2
    message = f"signgen: {arguments[0]} needs the package {package}: pip install 'signgen[{extra}]'"
    assert run.err.splitlines()[-1] == message


def test_every_extra_that_is_named_exists(cli: Cli) -> None:
    _, declared = (REPOSITORY / "pyproject.toml").read_text().split("[project.optional-dependencies]")
    assert set(EXTRAS.values()) <= set(re.findall(r"^(\w+) = \[", declared, re.MULTILINE))
    verbs = cli("--help").out
    assert all(verb in verbs for verb in EXTRAS)
