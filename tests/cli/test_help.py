"""The help of the verbs with most options: in panels, no name cut on a terminal of 80 columns, an example."""

import inspect
import re
from collections.abc import Callable

import pytest

from signgen.cli import app, main
from signgen.cli.evaluate import evaluate
from signgen.cli.export import export
from signgen.cli.render import render
from signgen.cli.train import train
from tests.cli.conftest import Cli

VERBS: dict[str, tuple[Callable[..., None], set[str]]] = {
    "render": (render, {"Basics", "Poses", "Quality", "Speed", "Machine"}),
    "train": (train, {"Basics"}),
    "evaluate": (evaluate, {"Basics", "Files", "Networks", "Machine"}),
    "export": (export, {"Basics", "Machine"}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_help_is_in_panels_and_cuts_nothing(cli: Cli, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    status, out, _ = cli(verb, "--help")
    assert status == 0
    function, panels = VERBS[verb]
    assert set(re.findall(r"─ (\w+) ─", out)) == panels | {"Arguments", "Options"}
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80
    shown = set(re.findall(r"^│ (?:\*? +)?(--[a-z-]+) ", out, re.MULTILINE))
    command = next(each for each in app.registered_commands if each.callback is function)
    assert command.name == verb
    declared = re.findall(r"--[a-z-]+", inspect.getsource(function).partition(") -> None")[0])
    assert {"--json", "--help"} <= shown
    assert shown >= {name for name in declared if f'"{name}"' in inspect.getsource(function)} - {"--help"}
    assert f"signgen {verb} " in out.split("Example:")[1]


def test_shells_complete_verbs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = {"_SIGNGEN_COMPLETE": "complete_bash", "COMP_WORDS": "signgen rend", "COMP_CWORD": "1"}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert (ended.value.code, capsys.readouterr().out.split()) == (0, ["render"])
