"""Settings of a training run: what every objective shares."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from signgen.data.augmentation import Augmentation
from signgen.errors import UserError
from signgen.models.sizes import Sizes
from signgen.runtime.device import PRECISIONS

System = TypeVar("System", bound=Sizes)
DECAYS = ("constant", "cosine", "linear", "step")


@dataclass
class DataSettings:
    """Where training pairs come from. `roots` are corpora in any layout that `signgen data info` knows."""

    roots: list[str] = field(default_factory=list)
    split: str = "train"
    pairs: str = ""
    """A list of pairs (`signgen data pairs`) to draw from; empty: any two frames of a clip."""
    preload: bool = False
    """Decode every frame once into memory."""
    workers: int = 2
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass
class OptimizerSettings:
    """AdamW and its learning rate, which is a function of the step."""

    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    betas: list[float] = field(default_factory=lambda: [0.9, 0.999])
    clip: float = 1.0
    """Largest gradient norm; 0 leaves gradients as they are."""
    warmup: int = 0
    """Steps of linear warm-up."""
    decay: str = "constant"
    """constant, cosine (to zero at the last step), linear (constant for `decay_after` steps, then down to zero) or
    step (x 0.1 after `decay_after` steps)."""
    decay_after: int = 0
    eight_bit: bool = False
    """Keep AdamW's moments in 8 bits, by bitsandbytes: a quarter of their memory, on CUDA only."""

    def __post_init__(self) -> None:
        if self.decay not in DECAYS:
            raise UserError(f"optimizer.decay is {self.decay!r}; choose one of {', '.join(DECAYS)}")
        if self.learning_rate <= 0:
            raise UserError(f"optimizer.learning_rate is {self.learning_rate}; it must be positive")


@dataclass
class TrainingSettings:
    """Settings of a training run. All random numbers follow from `seed` and the number of the sample."""

    output: str = "???"
    """Folder of logs, checkpoints and the trained model."""
    model: str = "mini"
    """Size of the model's parts: tiny, mini or paper, for PCDMs mini-half too."""
    image_size: str = ""
    """WIDTHxHEIGHT of the images; empty: the model size's own."""
    source_size: str = ""
    """WIDTHxHEIGHT at which the source encoder reads the source; empty: the model size's own."""
    data: DataSettings = field(default_factory=DataSettings)
    validation: list[str] = field(default_factory=list)
    """Corpora whose `dev` split is scored at every `validate_every`; none: no validation."""
    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    steps: int = 1000
    batch_size: int = 8
    """Samples of a step, of all processes together."""
    device_batch: int = 0
    """The most samples that a device takes at a time, for want of memory; 0: all that fall to it."""
    precision: str = "fp32"
    """fp32 or bf16."""
    compile: bool = False
    gradient_checkpointing: bool = False
    ema: float = 0.0
    """Decay of the moving average of the weights that is saved as the model; 0: none. The average starts as the weights
    after step 1, and the decay of step n is at most n / (n + 9), so that early weights are soon forgotten."""
    seed: int = 0
    log_every: int = 20
    validate_every: int = 500
    checkpoint_every: int = 500
    minutes: float = 0.0
    """Stop after this many minutes, checkpointed, to be resumed; 0: run to the last step."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UserError(f"precision is {self.precision!r}; choose one of {', '.join(PRECISIONS)}")
        for name in ("steps", "batch_size", "log_every", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.device_batch < 0:
            raise UserError(f"device_batch is {self.device_batch}; it must not be negative")
        if not 0 <= self.ema < 1:
            raise UserError(f"ema is {self.ema}; it must be in [0, 1)")
        if self.seed < 0:
            raise UserError(f"seed is {self.seed}; it must not be negative")

    def resized(self, sizes: System) -> System:
        """The same parts for the image sizes that are set."""
        return replace(
            sizes,
            image_size=_size("image_size", self.image_size) or sizes.image_size,
            source_size=_size("source_size", self.source_size) or sizes.source_size,
        )

    @property
    def folder(self) -> Path:
        return Path(self.output)


def _size(name: str, text: str) -> tuple[int, int] | None:
    """ "WIDTHxHEIGHT" -> (height, width); None where it is empty."""
    if not text:
        return None
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise UserError(f"{name} is {text!r}; it must be WIDTHxHEIGHT, such as 352x512")
    return int(match[2]), int(match[1])
