import runpy
from collections.abc import Callable
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState

PIPELINES = Path(__file__).parents[2] / "pipelines"
Recipe = Callable[..., str]


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Recipe:
    """Run pipelines/NAME.py with arguments in this process: what it prints."""

    def run(name: str, *arguments: object) -> str:
        AcceleratorState._reset_state(reset_partial_state=True)
        capsys.readouterr()
        monkeypatch.syspath_prepend(PIPELINES)  # as `python pipelines/NAME.py` has it: recipes may use one another
        monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
        runpy.run_path(str(PIPELINES / name), run_name="__main__")
        return capsys.readouterr().out

    return run
