"""`signgen coarse`: the images that stage 3 of PCDMs is trained on."""

from pathlib import Path
from typing import Annotated

import typer

from signgen.cli.console import Json, announce, report, track
from signgen.cli.train import Overrides
from signgen.io.config_files import config_for


def coarse(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of the pcdm-refine training.")],
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Make the coarse images that `signgen train pcdm-refine CONFIG` needs, of every training pair.

    Stages 1 and 2 of the setting `inpaint` make them. What is there already is kept: it goes on where it was stopped.
    """
    config = config_for("train pcdm-refine", config)
    announce("Loading torch")
    from signgen.systems.pcdm.coarse_images import make_coarse
    from signgen.systems.pcdm.train_refine import RefineSettings
    from signgen.systems.trainings import load_settings

    settings = load_settings("pcdm-refine", config, overrides or [])
    assert isinstance(settings, RefineSettings)
    count = make_coarse(settings, progress=track)
    report({"coarse": settings.coarse, "made": count}, as_json, f"{settings.coarse}: {count} images made")
