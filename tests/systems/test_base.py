from pathlib import Path

import pytest
import torch

from signgen.systems.fpdm.pipeline import FPDMPipeline


@pytest.mark.parametrize("name", ["dtype", "torch_dtype"])
def test_a_precision_is_given_as_in_diffusers(tiny_model: Path, name: str) -> None:
    assert FPDMPipeline.from_pretrained(tiny_model, **{name: torch.bfloat16}).unet.dtype == torch.bfloat16
    assert FPDMPipeline.from_pretrained(tiny_model).unet.dtype == torch.float32


def test_a_saved_model_says_whose_drawings_it_knows(tiny_pipeline: FPDMPipeline, tmp_path: Path) -> None:
    parts = {name: part for name, part in tiny_pipeline.components.items() if part is not None}
    FPDMPipeline(**parts, skeleton="openpose-18").save_pretrained(tmp_path)
    assert FPDMPipeline.from_pretrained(tmp_path).config.skeleton == "openpose-18"
    assert tiny_pipeline.config.skeleton == "coco-wholebody-133"
