"""What all tests share: two torch threads, and the research material where it is present."""

import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test needs the network: a forgotten hub id fails at once

import pytest
import torch

torch.set_num_threads(2)

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real and synthetic research material beside the repository; skips where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"research material not found: {folder}")
    return folder
