"""Whether a device can be here at all, found without importing torch: what is certainly wrong is said at once."""

import ctypes
import runpy
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from signgen.errors import UserError

KINDS = ("auto", "cpu", "cuda", "mps", "xpu", "hpu", "mtia", "npu", "xla")
DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


def check_device(name: str) -> None:
    """UserError for a device that certainly cannot be used here. What only torch knows is left to it."""
    kind, colon, number = name.partition(":")
    if kind not in KINDS or (colon and not number.isdecimal()):
        reason = "choose auto, cpu, cuda, cuda:1, mps, xpu or another kind that torch knows"
    elif kind == "mps" and sys.platform != "darwin":
        reason = "only Macs have it"
    elif kind == "cuda":
        reason = _without_cuda()
    else:
        return
    if reason:
        raise UserError(f"device {name!r} cannot be used here: {reason}")


@cache
def _without_cuda() -> str:
    """Why there is no CUDA device; empty where there may be one."""
    built = _torch_build()
    if not any(built.get(name) for name in ("cuda", "hip", "rocm")):
        return f"torch {built.get('__version__')} is built without CUDA: use --device cpu, or install a build with CUDA"
    if built.get("cuda"):
        try:
            ctypes.CDLL(DRIVER)
        except OSError:
            return "this machine has no NVIDIA driver: use --device cpu, or install the driver"
    return ""


def _torch_build() -> dict[str, Any]:
    """What torch's file `version.py` says: read by itself, since torch takes seconds to import."""
    package = find_spec("torch")
    if package is None or package.origin is None:
        return {}
    return runpy.run_path(str(Path(package.origin).with_name("version.py")))
