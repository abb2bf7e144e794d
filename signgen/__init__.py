"""signgen: sign-language video generation, training and evaluation.

`from signgen import FPDMPipeline` gives the diffusion pipeline. It is imported when first asked for, since it
brings torch, diffusers and transformers with it, and `signgen --help` must not wait for them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from signgen.systems.fpdm.pipeline import FPDMPipeline as FPDMPipeline

__version__ = "0.1.0"
__all__ = ["FPDMPipeline", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "FPDMPipeline":
        from signgen.systems.fpdm.pipeline import FPDMPipeline

        return FPDMPipeline
    raise AttributeError(f"module 'signgen' has no attribute {name!r}")
