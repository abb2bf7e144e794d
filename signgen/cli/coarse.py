"""`signgen coarse`: the pictures that stage 3 of PCDMs is trained on."""

from pathlib import Path
from typing import Annotated

import typer

from signgen.cli.console import Json, announce, report, track
from signgen.cli.train import Overrides


def coarse(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The YAML file of the pcdm-refine training.")],
    overrides: Overrides = None,
    as_json: Json = False,
) -> None:
    """Make the coarse pictures of all training pairs, which `signgen train pcdm-refine CONFIG` needs.

    The model that the setting `inpaint` names makes them. Pictures that exist already are kept. If the command is
    stopped, run it again: it continues.
    """
    announce("Loading torch")
    from signgen.systems.pcdm.coarse_images import make_coarse
    from signgen.systems.pcdm.train_refine import RefineSettings
    from signgen.systems.trainings import load_settings

    settings = load_settings("pcdm-refine", config, overrides or [])
    assert isinstance(settings, RefineSettings)
    count = make_coarse(settings, progress=track)
    report({"coarse": settings.coarse, "made": count}, as_json, f"{settings.coarse}: {count} pictures made")
