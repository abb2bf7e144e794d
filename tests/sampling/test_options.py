from dataclasses import fields
from inspect import signature

import pytest

from signgen.cli.render import render as render_verb
from signgen.evaluation.benchmark_settings import BenchmarkSettings
from signgen.export import ExportSettings
from signgen.io.config import load_config
from signgen.sampling.options import SamplingOptions
from signgen.systems.fpdm.pipeline import FPDMPipeline

NAMES = [each.name for each in fields(SamplingOptions)]


def test_an_option_of_another_name_is_refused() -> None:
    with pytest.raises(TypeError, match="solvr"):
        SamplingOptions(solvr="ddim")


@pytest.mark.parametrize("settings", [BenchmarkSettings, ExportSettings])
def test_configurations_take_every_option(settings: type[SamplingOptions]) -> None:
    given = ["output=out", "roots=[x]", "steps=3", "solver=ddim", "guidance_steps=[1,null]", "deep_cache=2"]
    found = load_config(settings, overrides=given)
    assert list(found.sampling) == NAMES
    assert found.sampling["guidance_steps"] == (1, None)
    assert (found.steps, found.solver, found.deep_cache) == (3, "ddim", 2)


def test_the_command_line_and_the_pipeline_have_every_option() -> None:
    assert set(NAMES) <= set(signature(render_verb).parameters) | {"guidance"}
    assert set(NAMES) <= set(signature(FPDMPipeline.generate_latents).parameters)
