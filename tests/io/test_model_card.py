from pathlib import Path

import pytest

from signgen.io.model_card import (
    UNKNOWN,
    Card,
    adapted_card,
    assembled_card,
    converted_card,
    read_card,
    trained_card,
    write_card,
)
from signgen.io.model_location import embedded_models, model_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What is saved: the class is all that a card takes from it."""
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderKL"}')
    return tmp_path


def card(folder: Path, **changes) -> str:
    (folder / "runs" / "vae" / "model").mkdir(parents=True, exist_ok=True)
    given = {
        "name": "run",
        "training": "Trained for 3 of 4 steps.",
        "corpora": [str(folder / "corpora" / "signers (train)")],
        "starts": {"autoencoder": str(folder / "runs" / "vae" / "model"), "fine tune": "mini"},
    }
    return trained_card(folder, **given | changes)


@pytest.mark.parametrize("name", embedded_models())
def test_embedded_models_say_all_of_it(name: str) -> None:
    found = read_card(model_folder(name))
    assert found.licence == "apache-2.0"
    assert UNKNOWN not in (found.data, found.limits, found.consent)


def test_a_training_says_what_it_knows_and_no_more(folder: Path) -> None:
    text = card(folder)
    assert str(folder) not in text
    write_card(folder, text)
    found = read_card(folder)
    assert found.licence == "unknown"
    assert "signers (train)" in found.data
    assert "autoencoder vae/model, fine tune mini" in found.data
    assert found.limits.startswith("Not measured")
    assert "consent" in found.consent
    assert "AutoencoderKL of signgen. Trained for 3 of 4 steps." in text


def test_a_card_that_is_there_is_kept(folder: Path) -> None:
    write_card(folder, "by hand")
    write_card(folder, card(folder))
    assert (folder / "README.md").read_text() == "by hand"


def test_all_kinds_can_be_read(folder: Path) -> None:
    (folder / "a").mkdir(), (folder / "b").mkdir()
    write_card(folder / "a", card(folder))
    write_card(folder / "b", card(folder, corpora=["hands"], starts={}))
    texts = (
        assembled_card(folder / "a", folder / "b"),
        converted_card(folder, name="FPDM", checkpoints=[Path("/somewhere/last.ckpt")], system="FPDM"),
        adapted_card(name="anna", model="mini", frames=40, training="3 steps"),
    )
    for text in texts:
        (folder / "README.md").write_text(text)
        found = read_card(folder)
        assert UNKNOWN not in (found.licence, found.data, found.limits, found.consent)
        assert "/somewhere" not in text
    assert "Its decoder was trained apart. The training pairs are of hands." in texts[0]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"---\nlicense: [\n---\n# x", b"---\n- a\n---\n", b"no card"])
def test_a_card_that_says_nothing_is_no_error(tmp_path: Path, content: bytes) -> None:
    assert read_card(tmp_path) == Card()
    (tmp_path / "README.md").write_bytes(content)
    assert read_card(tmp_path) == Card()
