"""Settings of a benchmark: what is rendered and scored, and what the published table was measured on."""

from dataclasses import dataclass, field
from pathlib import Path

from signgen.errors import UserError
from signgen.io.model_location import model_name
from signgen.metrics import DEFAULT_METRICS
from signgen.rendering.settings import RenderingSettings

PUBLISHED_FRAMES = "published frames"
CALIBRATION = ("ground truth", "autoencoder", "first frame warped", "first frame copied")


@dataclass
class Paper:
    """A published table and the protocol behind it. What is empty or zero is not known and not compared."""

    table: str = ""
    """A CSV file: `method`, a column for each number, `source`."""
    columns: dict[str, str] = field(default_factory=dict)
    """Column of the table -> the number of ours that stands in it; "" for one that nothing of ours compares with."""
    split: str = ""
    frames: int = 0
    size: str = ""
    """WIDTHxHEIGHT of the frames that were compared."""
    steps: int = 0
    solver: str = ""
    guidance: float = 0
    published_frames: str = ""
    """A tree of clips that the paper's authors published: a calibration row, of those that the corpus has."""
    differences: dict[str, str] = field(default_factory=dict)
    """Column -> why our number is another one than the paper's, whatever is rendered."""


@dataclass
class BenchmarkSettings(RenderingSettings):
    """A benchmark. What is None is the model's own default."""

    output: str = "???"
    """Folder of the rendered clips, `benchmark.json` and `report.html`."""
    roots: list[str] = field(default_factory=list)
    split: str = "test"
    clips: int = 0
    """Only the first so many; 0: all."""
    frames: str = ""
    """A tree of clips that some system rendered; empty: `model` renders them."""
    calibration: list[str] = field(default_factory=lambda: list(CALIBRATION))
    metrics: list[str] = field(default_factory=lambda: list(DEFAULT_METRICS))
    weights: dict[str, str] = field(default_factory=dict)
    """Network of a metric -> a file of its weights, as `evaluate --weights`."""
    estimator: str = "mediapipe"
    """What finds the hands for Hand PE: mediapipe, or mmpose with `weights.hrnet-wholebody`."""
    fid_against: dict[str, str] = field(default_factory=dict)
    """Name -> a file of features, as `evaluate --fid-against`."""
    start: int = 0
    """The first frame that counts; 1 leaves out the source."""
    resize: bool = False
    device: str = "auto"
    paper: Paper = field(default_factory=Paper)

    def __post_init__(self) -> None:
        if not self.roots:
            raise UserError("roots is empty: name the corpus to render, roots=[CORPUS]")
        if min(self.clips, self.start) < 0:
            raise UserError("clips and start cannot be negative")
        if unknown := sorted(set(self.calibration) - set(CALIBRATION)):
            raise UserError(f"calibration: unknown row {unknown[0]!r}; there are {', '.join(CALIBRATION)}")

    @property
    def subject(self) -> str:
        """The name of the row that the benchmark is about."""
        name = Path(self.frames).resolve().name if self.frames else model_name(self.model)
        return f"{name} (rendered)" if name in (*CALIBRATION, PUBLISHED_FRAMES) else name
