import subprocess
import sys

import pytest

import signgen


def test_the_pipeline_is_imported_when_asked_for() -> None:
    script = (
        "import sys, signgen; assert 'torch' not in sys.modules; signgen.FPDMPipeline; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pipeline'"):
        _ = signgen.Pipeline
    assert set(signgen.__all__) == {"FPDMPipeline", "__version__"}
