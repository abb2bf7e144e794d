"""What all tests share: two torch threads, and the research material where it is present."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test needs the network: a forgotten hub id fails at once

import pytest
import torch

if TYPE_CHECKING:
    from signgen.systems.fpdm.pipeline import FPDMPipeline
    from signgen.systems.pcdm.pipeline import PCDMPipeline

torch.set_num_threads(min(2, torch.get_num_threads()))

pytest_plugins = ["tests.small_corpus", "tests.tiny_training"]

REPOSITORY = Path(__file__).resolve().parent.parent


def heed_ctrl_c() -> None:
    """A shell has what it starts in the background ignore Ctrl-C: these tests, and what they start, may be that."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def calls_of(module: torch.nn.Module) -> Iterator[list[int]]:
    """How many rows the module is given, call by call."""
    rows: list[int] = []
    hook = module.register_forward_pre_hook(lambda _, args: rows.append(len(args[0])))
    try:
        yield rows
    finally:
        hook.remove()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real and synthetic research material beside the repository; skips where it is absent."""
    folder = REPOSITORY.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"research material not found: {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_pipeline() -> "FPDMPipeline":
    """FPDM at its test size with random weights, none of them zero."""
    from signgen.systems.fpdm.pipeline import FPDMPipeline
    from signgen.systems.fpdm.presets import preset

    torch.manual_seed(0)
    pipeline = FPDMPipeline.from_preset(preset("tiny"))
    # The pose encoder's last layer starts at zero: a test of pose conditions would see nothing.
    torch.nn.init.normal_(pipeline.unet.pose_encoder.conv_out.weight, std=0.3)
    return pipeline


@pytest.fixture(scope="session")
def tiny_model(tiny_pipeline: "FPDMPipeline", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a saved `tiny_pipeline`."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    tiny_pipeline.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_from_source(tiny_pipeline: "FPDMPipeline") -> "FPDMPipeline":
    """The same parts as a few-step model that starts from the source in place of noise."""
    from signgen.systems.fpdm.pipeline import FPDMPipeline
    from signgen.systems.fpdm.presets import preset

    sizes = preset("tiny")
    return FPDMPipeline(
        **tiny_pipeline.components,
        image_size=sizes.image_size,
        source_size=sizes.source_size,
        sampling={"steps": 2, "solver": "ddim", "guidance_source": 1.0, "guidance_fusion": 1.0, "fit": "crop"},
        start="source",
    )


@pytest.fixture(scope="session")
def tiny_from_transport(tiny_pipeline: "FPDMPipeline") -> "FPDMPipeline":
    """A student of test size that starts from the transported source, with random weights."""
    from diffusers import DDIMScheduler

    from signgen.models.colour_autoencoder import ColourAutoencoder
    from signgen.models.first_frame import known_channels
    from signgen.models.unet import refitted
    from signgen.systems.fpdm.pipeline import FPDMPipeline
    from signgen.systems.fpdm.presets import preset

    torch.manual_seed(1)
    sizes, parts = preset("tiny"), dict(tiny_pipeline.components)
    vae = ColourAutoencoder(**sizes.autoencoder)
    composition = sizes.build_composition()
    torch.nn.init.normal_(composition.leave.weight, std=0.1)
    unet = refitted(parts["unet"], vae.config.latent_channels, known_channels(vae))
    torch.nn.init.normal_(unet.unet.conv_out.weight, std=0.1)
    scheduler = DDIMScheduler.from_config(parts["scheduler"].config, prediction_type="sample")
    return FPDMPipeline(
        **parts | {"vae": vae, "unet": unet, "composition": composition, "scheduler": scheduler},
        image_size=sizes.image_size,
        source_size=sizes.source_size,
        sampling={"steps": 1, "solver": "ddim", "guidance_source": 1.0, "guidance_fusion": 1.0, "fit": "signer"},
        start="transport",
    )


@pytest.fixture(scope="session")
def tiny_pcdm() -> "PCDMPipeline":
    """PCDMs at their test size with random weights, none of them zero."""
    from signgen.systems.pcdm.pipeline import PCDMPipeline
    from signgen.systems.pcdm.presets import pcdm_preset

    torch.manual_seed(0)
    pipeline = PCDMPipeline.from_preset(pcdm_preset("tiny"))
    torch.nn.init.normal_(pipeline.inpaint.pose_encoder.conv_out.weight, std=0.3)
    return pipeline
