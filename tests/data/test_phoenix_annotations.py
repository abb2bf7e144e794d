"""The reader of Phoenix-2014T's annotation tables."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signgen.data.phoenix_annotations import COLUMNS, read_annotations
from signgen.errors import UserError

HEADER = "|".join(COLUMNS)
FIELD = st.text(st.characters(exclude_characters="|\n\r", exclude_categories=["Cs"]), max_size=20)
NAME = st.from_regex(r"[A-Za-z0-9_äöü-]{1,20}", fullmatch=True)
ROW = st.tuples(NAME, FIELD, FIELD, FIELD)
SAME_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)


@pytest.mark.parametrize(
    ("name", "rows", "speakers"),
    [
        ("PHOENIX-2014-T.test.corpus.csv", 642, 9),
        ("PHOENIX-2014-T.train-complex-annotation.corpus.csv", 7096, 9),
    ],
)
def test_official_tables(shared: Path, name: str, rows: int, speakers: int) -> None:
    table = read_annotations(shared / "real" / "phoenix14t-annotations" / name)
    assert len(table) == rows
    assert len({row.speaker for row in table}) == speakers
    assert all(row.orth for row in table)


@SAME_FOLDER
@given(st.lists(ROW, unique_by=lambda row: row[0]), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(tmp_path: Path, rows: list[tuple[str, ...]], newline: str) -> None:
    lines = [HEADER, *("|".join([name, "v", "-1", "-1", *rest]) for name, *rest in rows)]
    path = tmp_path / "a.corpus.csv"
    path.write_bytes(newline.join(lines).encode() + newline.encode())
    assert [(row.name, row.speaker, row.orth, row.translation) for row in read_annotations(path)] == rows


@SAME_FOLDER
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_give_a_table_or_one_line(tmp_path: Path, content: bytes, with_header: bool) -> None:
    path = tmp_path / "a.corpus.csv"
    path.write_bytes((HEADER.encode() + b"\n" if with_header else b"") + content)
    try:
        table = read_annotations(path)
    except UserError as error:
        message = str(error)
        assert "\n" not in message
        assert str(path) in message
    else:
        assert len({row.name for row in table}) == len(table)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a|b|c", "line 2 has 3 columns, expected 7"),
        ("|v|-1|-1|s|o|t", "line 2: '' cannot be the name"),
        ("../a|v|-1|-1|s|o|t", "line 2: '../a' cannot be the name"),
        ("a|v|-1|-1|s|o|t\na|v|-1|-1|s|o|t", "line 3: clip a is listed twice"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "a.corpus.csv"
    path.write_text(f"{HEADER}\n{line}\n")
    with pytest.raises(UserError, match=message):
        read_annotations(path)


def test_a_missing_table(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read this annotation table"):
        read_annotations(tmp_path / "none.csv")
