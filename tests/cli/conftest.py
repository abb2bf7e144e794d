from collections.abc import Callable
from typing import NamedTuple

import pytest

from signgen.cli import main


class Run(NamedTuple):
    status: int
    out: str
    err: str


Cli = Callable[..., Run]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Runs the real command line in this process: cli("render", frame, ...) -> status, stdout, stderr."""

    def run(*args: object) -> Run:
        capsys.readouterr()
        status = main([str(arg) for arg in args])
        return Run(status, *capsys.readouterr())

    return run
