"""The packages stand in layers, and imports run one way through them."""

import runpy

import pytest

from tests.conftest import REPOSITORY

IMPORTS = runpy.run_path(str(REPOSITORY / "docs" / "imports.py"))


def test_no_module_imports_from_a_higher_layer() -> None:
    assert IMPORTS["upward_imports"]() == []


@pytest.mark.parametrize("level", ["module_imports", "package_imports"])
def test_nothing_imports_itself_through_others(level: str) -> None:
    assert IMPORTS["circles"](IMPORTS[level]()) == []
    assert IMPORTS["circles"]({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]


def test_nothing_but_errors_stands_at_the_top() -> None:
    found = {path.name for path in (REPOSITORY / "signgen").glob("*.py")}
    assert found - {"__init__.py", "__main__.py"} == {"errors.py"}


def test_the_picture_shows_every_package() -> None:
    imports = IMPORTS["package_imports"]()
    picture = IMPORTS["picture"](imports)
    assert all(f">{package}</text>" in picture for package in imports)
    assert picture.count("<path ") == sum(len(imported) for imported in imports.values())
