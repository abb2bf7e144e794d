"""Files of JSON objects, one a line, to which lines are appended: a stop may cut the last one short."""

from pathlib import Path
from typing import Any

from signgen.errors import UserError
from signgen.io.limits import parse_json, read_bytes


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects in a file; one that was cut short at its end is left out.

    Raises UserError, naming the line, where another one is broken; OSError where the file cannot be read.
    """
    lines = read_bytes(path).splitlines()
    found: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            value = parse_json(line)
            if not isinstance(value, dict):
                raise UserError("it is no JSON object")
            found.append(value)
        except UserError as error:
            if number < len(lines):
                message = f"{path}: line {number} is broken ({error}): delete the file, or that line"
                raise UserError(message) from error
    return found
