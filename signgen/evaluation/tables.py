"""A paper's table with a row of ours beneath it."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from signgen.errors import UserError


def table_with_ours(published: Path, ours: Mapping[str, Mapping[str, float]]) -> str:
    """The table of a CSV file (first column: the method; the column `source` is left out), followed by our rows.

    ours: row name -> column -> value. A value that is not known, on either side, is `-`. Raises UserError where the
    file cannot be read.
    """
    try:
        rows = list(csv.reader(published.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{published}: cannot read this table ({error})") from error
    header = rows[0]
    shown = [column for column in header if column != "source"]
    cells = [dict(zip(header, row + [""] * (len(header) - len(row)), strict=True)) for row in rows[1:]]
    table = [shown, *([row[column] for column in shown] for row in cells)]
    table += [[name, *(_cell(values.get(column)) for column in shown[1:])] for name, values in ours.items()]
    return format_table(table)


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
