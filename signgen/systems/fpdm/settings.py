"""Settings that all trainings of FPDM share."""

from dataclasses import dataclass

from signgen.systems.fpdm.presets import Preset, preset
from signgen.training.settings import TrainingSettings


@dataclass
class FPDMSettings(TrainingSettings):
    """A training of one of FPDM's parts."""

    def sizes(self) -> Preset:
        """The model's parts and sizes. Raises UserError for an unknown one."""
        return self.resized(preset(self.model))
