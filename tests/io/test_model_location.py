from pathlib import Path

import pytest

from signgen.io.model_location import model_name


@pytest.mark.parametrize(
    ("place", "expected"),
    [("mini", "mini"), ("owner/name", "name"), ("some/folder", "folder"), ("elsewhere/model", "model")],
)
def test_a_model_is_called_as_its_folder(place: str, expected: str) -> None:
    assert model_name(place) == expected


def test_a_trained_model_is_called_as_its_run(tmp_path: Path) -> None:
    (tmp_path / "anna-b6" / "checkpoints").mkdir(parents=True)
    (tmp_path / "anna-b6" / "model").mkdir()
    assert model_name(tmp_path / "anna-b6" / "model") == "anna-b6"
