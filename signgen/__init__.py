"""signgen: sign-language video generation, training and evaluation.

The names of `__all__` are public: they stay. Each is imported when it is first asked for, since most bring torch,
diffusers and transformers with them, and `signgen --help` must not wait for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signgen.errors import InputWarning as InputWarning
    from signgen.errors import UserError as UserError
    from signgen.poses import PoseSequence as PoseSequence
    from signgen.poses import read_poses as read_poses
    from signgen.poses import write_poses as write_poses
    from signgen.rendering.one_call import render as render
    from signgen.systems.fpdm.pipeline import FPDMPipeline as FPDMPipeline
    from signgen.systems.pcdm.pipeline import PCDMPipeline as PCDMPipeline

__version__ = "0.1.0"
__all__ = [
    "FPDMPipeline",
    "InputWarning",
    "PCDMPipeline",
    "PoseSequence",
    "UserError",
    "__version__",
    "read_poses",
    "render",
    "write_poses",
]
HOMES = {
    "FPDMPipeline": "signgen.systems.fpdm.pipeline",
    "InputWarning": "signgen.errors",
    "PCDMPipeline": "signgen.systems.pcdm.pipeline",
    "PoseSequence": "signgen.poses",
    "UserError": "signgen.errors",
    "read_poses": "signgen.poses",
    "render": "signgen.rendering.one_call",
    "write_poses": "signgen.poses",
}


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'signgen' has no attribute {name!r}")
    return getattr(import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
