import json
import sys

import pytest

from signgen.cli.console import announce, report


def test_report_is_one_json_object_or_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    report({"frames": 3}, True, "three")
    assert json.loads(capsys.readouterr().out) == {"frames": 3}
    report({"frames": 3}, False, "three")
    assert capsys.readouterr().out == "three\n"


def test_announcements_are_for_terminals(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    announce("Loading mini")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    announce("Loading mini")
    assert capsys.readouterr() == ("", "Loading mini ...\n")
