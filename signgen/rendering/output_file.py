"""Whether a video can be written where it is to be, asked before it is rendered."""

from collections.abc import Iterable
from pathlib import Path

from signgen.errors import UserError
from signgen.io.atomic_files import check_writable


def check_output(output: Path, inputs: Iterable[Path | None]) -> None:
    """UserError unless `output` can be the name of a new MP4."""
    if output.suffix.lower() != ".mp4":
        raise UserError(f"{output}: the output is an MP4; give a name that ends in .mp4")
    if any(path is not None and path.resolve() == output.resolve() for path in inputs):
        raise UserError(f"{output} is an input as well; give the output another name")
    check_writable(output)
