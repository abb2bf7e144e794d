from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from accelerate.state import AcceleratorState

from signgen.systems.trainings import load_settings, train

CONFIGS = Path(__file__).parents[1] / "configs" / "tiny"
Numbers = dict[int, dict[str, float]]
TrainTiny = Callable[..., Numbers]


@pytest.fixture(scope="session")
def train_tiny(small_corpus: Path) -> TrainTiny:
    """Train at test size on a small corpus: kind, output folder, overrides -> every logged step's numbers."""

    def run(kind: str, output: Path, *overrides: str, resume: bool = False, changes: bool = False) -> Numbers:
        fixed = [f"output={output}", f"data.roots=[{small_corpus}]", "validation=[]", "log_every=1"]
        numbers: Numbers = {}
        # Accelerate keeps one state per process: runs of different precision need a fresh one.
        AcceleratorState._reset_state(reset_partial_state=True)

        def report(step: int, values: dict[str, float]) -> None:
            numbers[step] = values

        settings = load_settings(kind, CONFIGS / f"{kind}.yaml", fixed + list(overrides))
        train(kind, settings, resume=resume, changes=changes, report=report)
        return numbers

    return run


@pytest.fixture(scope="session")
def trained_parts(train_tiny: TrainTiny, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides that name a trained autoencoder and fusion model for a diffusion training."""
    folder = tmp_path_factory.mktemp("parts")
    for kind in ("autoencoder", "fusion"):
        train_tiny(kind, folder / kind, "steps=1")
    return [f"{kind}={folder / kind / 'model'}" for kind in ("autoencoder", "fusion")]


def losses(numbers: Numbers) -> dict[int, Any]:
    return {step: values["loss"] for step, values in numbers.items()}
