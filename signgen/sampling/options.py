"""The sampling options, listed once: pipelines, settings files, the command line and records all read this list."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass
class SamplingOptions:
    """How a model samples. None leaves the choice to the model."""

    steps: int | None = None
    solver: str | None = None
    """A key of `signgen.sampling.solvers.SOLVERS`."""
    guidance_source: float | None = None
    """Guidance weight of the source and the pose."""
    guidance_fusion: float | None = None
    """Guidance weight of the fusion embedding. PCDMs have one weight alone."""
    guidance_steps: tuple[int | None, int | None] | None = None
    """A, B: only steps from A on and before B are guided. This shortcut changes frames a little."""
    deep_cache: int | None = None
    """Compute deep features at every step that is a multiple of it. This shortcut changes frames a little."""

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling options by name, those of a subclass left out."""
        return {each.name: getattr(self, each.name) for each in fields(SamplingOptions)}
