"""Settings of rendering, shared by all configurations that render many clips."""

from dataclasses import dataclass

from signgen.sampling.options import SamplingOptions


@dataclass
class RenderingSettings(SamplingOptions):
    """What renders, and how. None leaves the choice to the model."""

    model: str = "mini"
    seed: int = 0
    batch_size: int | None = None
    fit: str | None = None

    @property
    def rendering(self) -> dict[str, object]:
        """The settings that change what is rendered."""
        return self.sampling | {"seed": self.seed, "fit": self.fit}
