"""Settings of an export: which clips, by which signers, in which variations, written how."""

from dataclasses import asdict, dataclass, field

from signgen.errors import UserError
from signgen.poses.sequence import MAX_FPS
from signgen.rendering.settings import RenderingSettings

MEDIA = ("mp4", "frames")
FORMATS = ("phoenix", "webdataset", "huggingface")
ACTIONS = ("mark", "drop")
DTYPES = ("float32", "bfloat16", "float16", "auto")
ESTIMATORS = ("none", "mediapipe", "mmpose")


@dataclass
class Signers:
    """Who is to sign: the speakers of a corpus, each in the first frame of their first clip.

    A clip's own speaker is left out. A clip without a speaker is a signer of its own, called by the clip's name.
    """

    roots: list[str] = field(default_factory=list)
    """Corpora of the signers; empty: those of the clips."""
    split: str = ""
    """Empty: that of the clips."""
    names: list[str] = field(default_factory=list)
    """Only these; empty: all."""
    per_clip: int = 0
    """How many, drawn for each clip; 0: all."""


@dataclass
class Variation:
    """How motion is changed. Each number is the limit of a draw, made for each rendered clip; 0 changes nothing."""

    name: str = "???"
    mirror: bool = False
    """Left and right exchanged, hands included."""
    tempo: float = 0.0
    """Largest relative change of speed, up or down; the frame rate stays."""
    rotation: float = 0.0
    """Largest rotation about the neck, degrees."""
    scale: float = 0.0
    """Largest relative change of size, about the neck."""
    shift: float = 0.0
    """Largest shift, in shoulder widths."""
    noise: float = 0.0
    """Standard deviation of a slow wandering of head and arms, in shoulder widths; hands go with their wrists."""
    hand_noise: float = 0.0
    """Standard deviation of the same of finger joints, in palm lengths, as far as the handshape allows."""

    def __post_init__(self) -> None:
        limits = {"tempo": 0.5, "rotation": 30, "scale": 0.3, "shift": 1, "noise": 0.2, "hand_noise": 0.2}
        for name, limit in limits.items():
            if not 0 <= getattr(self, name) <= limit:
                raise UserError(f"variation {self.name}: {name} is {getattr(self, name)}, not from 0 to {limit}")


@dataclass
class Gate:
    """When a rendered clip is not good enough, by poses found again in it, and what is done then."""

    estimator: str = "mediapipe"
    """What finds poses: mediapipe, mmpose (optional packages), or none: quality is not measured."""
    every: int = 4
    """Frames that are looked at: each so many-th."""
    max_body_error: float = 0.15
    """Mean distance of head and arms from the driving pose, in shoulder widths."""
    min_hands_found: float = 0.5
    """Share of the driving pose's hand points that are found."""
    action: str = "mark"
    """mark (in the manifest) or drop (no files, no labels)."""

    def __post_init__(self) -> None:
        _check_choice("gate.estimator", self.estimator, ESTIMATORS)
        _check_choice("gate.action", self.action, ACTIONS)
        if self.every < 1:
            raise UserError(f"gate.every is {self.every}; it must be at least 1")


@dataclass
class ExportSettings(RenderingSettings):
    """An export. What is None is the model's own default."""

    output: str = "???"
    roots: list[str] = field(default_factory=list)
    split: str = "train"
    clips: int = 0
    """Only the first so many; 0: all."""
    speakers: list[str] = field(default_factory=list)
    """Only clips of these; empty: all."""
    signers: Signers = field(default_factory=Signers)
    variations: list[Variation] = field(default_factory=lambda: [Variation("plain")])
    gate: Gate = field(default_factory=Gate)
    dtype: str = "float32"
    """Of the networks: float32, bfloat16, float16, or auto: bfloat16 where the device has instructions for it. Faster,
    but other frames where an export goes on on other devices."""
    fps: float | None = None
    """Frame rate of what is rendered, poses resampled; None: the poses' own."""
    media: str = "mp4"
    """mp4, or frames: a folder of PNG images a clip."""
    formats: list[str] = field(default_factory=lambda: ["phoenix", "huggingface"])
    """What is written about the clips: phoenix, huggingface, webdataset."""
    clips_per_shard: int = 500
    """Clips of a WebDataset shard."""
    devices: list[str] = field(default_factory=lambda: ["auto"])
    """A process for each; auto: all CUDA devices, else one CPU."""

    def __post_init__(self) -> None:
        _check_choice("media", self.media, MEDIA)
        _check_choice("dtype", self.dtype, DTYPES)
        for name in self.formats:
            _check_choice("formats", name, FORMATS)
        names = [variation.name for variation in self.variations]
        if not self.roots:
            raise UserError("roots is empty: name the corpus to export, roots=[CORPUS]")
        if not names or len(set(names)) < len(names):
            raise UserError("variations: at least one is needed, each with a name of its own")
        if self.media == "frames" and set(self.formats) - {"phoenix"}:
            raise UserError("media=frames goes with formats=[phoenix] only: the others hold videos")
        if self.fps is not None and not 1 <= self.fps <= MAX_FPS:
            raise UserError(f"fps is {self.fps}; it must lie between 1 and {MAX_FPS:g}")
        if min(self.clips, self.signers.per_clip) < 0 or self.clips_per_shard < 1 or not self.devices:
            raise UserError("clips and signers.per_clip cannot be negative, clips_per_shard and devices not empty")

    @property
    def content(self) -> dict[str, object]:
        """The settings that change what the rendered clips hold, beside the model; fit for JSON."""
        names = ("roots", "split", "clips", "speakers", "signers", "variations", "gate", "fps", "media", "dtype")
        given = asdict(self)
        return {name: given[name] for name in names} | self.rendering


def _check_choice(setting: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{setting}: {value!r} is none of {', '.join(choices)}")
