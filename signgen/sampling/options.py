"""The sampling options, listed once: pipelines, settings files, the command line and records all read this list."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from signgen.errors import warn


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


def warn_of_student(own: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """A warning where a distilled model is given guidance, or more steps than it was made for.

    own: the model's own sampling options: a student's have weights of 1, its teacher's guidance is folded into it.
    """
    weights = ("guidance_source", "guidance_fusion")
    if any(own.get(name) != 1 for name in weights):
        return
    asked = [f"guidance {given[name]:g}" for name in weights if given.get(name) not in (None, 1)][:1]
    if (given.get("steps") or 0) > own["steps"]:
        asked.append(f"{given['steps']} steps")
    if asked:
        warn(
            f"{' and '.join(asked)}: this model is distilled to {own['steps']} step(s) without guidance; "
            "colours burn and details get lost"
        )
