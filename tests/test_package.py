import inspect
import subprocess
import sys

import pytest

import signgen


def test_the_pipeline_is_imported_when_asked_for() -> None:
    script = (
        "import sys, signgen; assert 'torch' not in sys.modules; signgen.FPDMPipeline; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


PUBLIC = {
    "FPDMPipeline",
    "InputWarning",
    "PCDMPipeline",
    "PoseSequence",
    "UserError",
    "__version__",
    "read_poses",
    "render",
    "write_poses",
}
RENDER = (
    "frame poses output=None model='mini' source_pose=None * seed=0 device='auto' dtype=None estimator='mediapipe' "
    "**options"
)


def test_the_public_names_stay() -> None:
    assert set(signgen.__all__) == set(dir(signgen)) == PUBLIC
    assert set(signgen.HOMES) == PUBLIC - {"__version__"}
    assert all(getattr(signgen, name) is not None for name in PUBLIC)


def test_render_is_called_as_ever() -> None:
    parameters = inspect.signature(signgen.render).replace(return_annotation=inspect.Signature.empty).parameters
    plain = inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in parameters.values()])
    assert str(plain)[1:-1].split(", ") == RENDER.split()


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Pipeline'"):
        _ = signgen.Pipeline
