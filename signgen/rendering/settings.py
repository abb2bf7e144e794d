"""Settings of rendering that all configurations share which render many clips."""

from dataclasses import dataclass


@dataclass
class RenderingSettings:
    """What renders, and how. What is None is the model's own default."""

    model: str = "mini"
    steps: int | None = None
    solver: str | None = None
    guidance_source: float | None = None
    guidance_fusion: float | None = None
    seed: int = 0
    batch_size: int | None = None
    fit: str | None = None

    @property
    def rendering(self) -> dict[str, object]:
        """The settings that change what is rendered."""
        names = ("steps", "solver", "guidance_source", "guidance_fusion", "seed", "fit")
        return {name: getattr(self, name) for name in names}
