"""Published tables, and a paper's table with rows of ours beneath it."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from signgen.errors import UserError
from signgen.io.limits import read_text


@dataclass(frozen=True)
class PublishedRow:
    """A method's numbers, column -> the digits as published (empty: not given), and where they are from."""

    method: str
    cells: dict[str, str]
    source: str

    @property
    def values(self) -> dict[str, float]:
        """Column -> number, NaN where none is given."""
        return {name: float(cell) if cell else math.nan for name, cell in self.cells.items()}


def read_published(path: Path) -> list[PublishedRow]:
    """The rows of a CSV file: `method`, a column for each number, and `source` or nothing.

    Raises UserError where the file cannot be read or is no such table.
    """
    try:
        lines = list(csv.DictReader(io.StringIO(read_text(path)), restval=""))
        rows = [PublishedRow(line.pop("method"), source=line.pop("source", ""), cells=line) for line in lines]
        columns = [list(row.values) for row in rows]  # a ValueError where a cell is no number
        if any(None in row for row in columns):
            raise ValueError("a row has more cells than the header")
        if not any(columns):
            raise ValueError("it has no numbers")
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: cannot read this table of method, numbers and source ({error})") from error
    return rows


def table_with_ours(published: Path, ours: Mapping[str, Mapping[str, float]]) -> str:
    """The table of a CSV file (see `read_published`) as text, followed by our rows: name -> column -> value.

    A value that is not known, on either side, is `-`. Raises UserError where the file cannot be read.
    """
    return format_rows(read_published(published), ours)


def format_rows(published: Sequence[PublishedRow], ours: Mapping[str, Mapping[str, float]]) -> str:
    """Published rows, if any, and ours as text; see `table_cells`."""
    return format_table(table_cells(published, ours))


def table_cells(published: Sequence[PublishedRow], ours: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """A header, published rows, if any, and ours, name -> column -> value; columns are the published ones, else ours.

    What is not known is an empty cell.
    """
    columns = list(published[0].cells) if published else list(next(iter(ours.values())))
    rows = [["method", *columns]]
    rows += [[row.method, *(row.cells[column] for column in columns)] for row in published]
    rows += [[name, *(_cell(values.get(column)) for column in columns)] for name, values in ours.items()]
    return rows


def format_table(rows: list[list[str]]) -> str:
    """Rows of cells as lines, the first column to the left, the others to the right; an empty cell is `-`."""
    rows = [[cell or "-" for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *others in rows:
        cells = (cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))
        lines.append("  ".join([first.ljust(widths[0]), *cells]).rstrip())
    return "\n".join(lines)


def _cell(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4g}"
