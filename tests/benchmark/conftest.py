from pathlib import Path

import pytest

from signgen.fpdm import FPDMPipeline
from tests.data.conftest import small_corpus  # noqa: F401 (a fixture)


@pytest.fixture(scope="session")
def tiny_model(tiny_pipeline: FPDMPipeline, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_pipeline.save_pretrained(folder)
    return folder
