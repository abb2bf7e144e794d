import argparse
import json
import os
import pickle
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image
from torch import Tensor

from signgen.errors import UserError
from signgen.io.model_folder import load_component
from signgen.io.torch_checkpoint import read_checkpoint
from signgen.models.fusion import ImagePoseFusion
from signgen.systems.fpdm.conversion import RENAMED, convert_fpdm
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.presets import preset
from tests.conftest import REPOSITORY


def published_names(pipeline: FPDMPipeline) -> dict[str, Tensor]:
    """A pipeline's tensors under the names, and the second names, of the authors' checkpoints."""
    state = {f"vae.{name}": tensor for name, tensor in pipeline.vae.state_dict().items()}
    for name, tensor in pipeline.unet.state_dict().items():
        if name.startswith("unet."):
            state[name] = state[f"sd_model.{name}"] = tensor
        elif name.startswith("fusion_projection."):
            place = "unet.class_embedding.net." + name.removeprefix("fusion_projection.")
            state[place] = state[f"sd_model.{place}"] = tensor
        elif name.startswith("source_projection."):
            state["sd_model.srcimage_proj_model.net." + name.removeprefix("source_projection.")] = tensor
        else:
            state["sd_model.pose_t_proj." + name.removeprefix("pose_encoder.")] = tensor
    for name, tensor in renamed(pipeline.source_encoder.state_dict(), "source_encoder").items():
        state[f"src_image_encoder.{name}"] = tensor
    for name, tensor in renamed(pipeline.fusion.state_dict(), "fusion").items():
        if name.startswith("encoder."):
            for tower in ("img_encoder.", "pose_encoder."):
                state[f"fusion_model.{tower}{name.removeprefix('encoder.')}"] = tensor
        else:
            state[f"fusion_model.{name}"] = tensor
    return state


def renamed(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    result = {}
    for name, tensor in state.items():
        for old, new in RENAMED[part].items():
            name = name.replace(new, old)
        result[name] = tensor
    return result


@pytest.fixture(scope="module")
def original() -> FPDMPipeline:
    """FPDM at test size with the sizes that no config.json gives as published."""
    torch.manual_seed(1)
    sizes = preset("tiny")
    unet = {key: sizes.unet[key] for key in ("unet_config", "source_dim", "fusion_dim")}
    fusion = {"clip": sizes.fusion["clip"]}
    return FPDMPipeline(
        vae=sizes.build_autoencoder(),
        source_encoder=sizes.build_source_encoder(),
        fusion=ImagePoseFusion(**fusion),
        unet=type(sizes.build_unet())(**unet),
        scheduler=sizes.build_scheduler(),
        image_size=(52, 42),
        source_size=(56, 56),
    )


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sizes = preset("tiny")
    path = tmp_path_factory.mktemp("sizes") / "config.json"
    content = {
        "clip": sizes.fusion["clip"],
        "dino": sizes.source_encoder,
        "vae": sizes.autoencoder,
        "unet": {**sizes.unet["unet_config"], "class_embed_type": "mlp", "projection_class_embeddings_input_dim": 8},
        "scheduler": sizes.scheduler,
        "model_img_size": [42, 52],
        "src_encoder_size": [56, 56],
        "guidance_scale": 1.5,
    }
    path.write_text(json.dumps(content))
    return path


def write(path: Path, state: dict[str, Any], settings: Any = None) -> Path:
    torch.save({"state_dict": state, "hyper_parameters": settings, "epoch": 3}, path)
    return path


def test_a_converted_model_renders_like_the_original(original: FPDMPipeline, config: Path, tmp_path: Path) -> None:
    settings = argparse.Namespace(lr=1e-4, nested=OmegaConf.create({"a": [1, 2]}))
    checkpoint = write(tmp_path / "last.ckpt", published_names(original), settings)
    report = convert_fpdm(checkpoint, tmp_path / "model", config)
    assert report.used == sum(len(part.state_dict()) for part in original.components.values() if hasattr(part, "to"))
    assert report.duplicates > 0
    converted = FPDMPipeline.from_pretrained(tmp_path / "model")
    assert converted.config.sampling["guidance_fusion"] == 1.5
    rng = np.random.default_rng(0)
    source, pose = (Image.fromarray(rng.integers(0, 256, (52, 42, 3), dtype=np.uint8)) for _ in range(2))
    options = {"num_inference_steps": 2, "guidance_scale": 2.0, "solver": "ddim"}
    expected = original(source, [pose], **options).frames
    assert np.allclose(converted(source, [pose], **options).frames, expected, atol=1e-5)


def test_the_size_of_the_images_is_not_guessed(
    original: FPDMPipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sizes = preset("tiny")
    unet = {key: sizes.unet[key] for key in ("unet_config", "source_dim", "fusion_dim")}
    paper = replace(
        sizes, image_size=(512, 512), source_size=(56, 56), unet=unet, fusion={"clip": sizes.fusion["clip"]}
    )
    monkeypatch.setattr("signgen.systems.fpdm.conversion.PAPER", paper)
    tensors = published_names(original)
    silent = write(tmp_path / "silent.ckpt", tensors, {"lr": 1e-4})
    with pytest.raises(UserError, match=r"does not say how large its images are: give --size"):
        convert_fpdm(silent, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    convert_fpdm(silent, tmp_path / "given", size=(64, 40), skeleton="coco-wholebody-133")
    convert_fpdm(write(tmp_path / "says.ckpt", tensors, {"model_img_size": [42, 52]}), tmp_path / "said")
    given, said = (FPDMPipeline.from_pretrained(tmp_path / name).config for name in ("given", "said"))
    assert (tuple(given.image_size), given.skeleton) == ((64, 40), "coco-wholebody-133")
    assert (tuple(said.image_size), said.skeleton) == ((52, 42), "openpose-18")


def test_stage_1_alone_becomes_a_fusion_model(original: FPDMPipeline, config: Path, tmp_path: Path) -> None:
    state = {
        name.removeprefix("fusion_model."): tensor
        for name, tensor in published_names(original).items()
        if name.startswith("fusion_model.")
    }
    convert_fpdm(write(tmp_path / "stage1.ckpt", state), tmp_path / "fusion", config)
    converted = load_component(ImagePoseFusion, tmp_path / "fusion")
    for name, tensor in original.fusion.state_dict().items():
        assert torch.equal(converted.state_dict()[name], tensor)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("vae.encoder.conv_in.weight"), r"vae: 1 missing tensors in the checkpoint: encoder\.conv_in"),
        (lambda s: s.update({"vae.extra": torch.zeros(1)}), "vae: 1 unexpected tensors in the checkpoint: extra"),
        (lambda s: s.update({"stranger": torch.zeros(1)}), "tensor stranger belongs to no part of FPDM"),
        (lambda s: s.update({"vae.encoder.conv_in.bias": torch.zeros(3)}), r"has shape \(3,\), not \(8,\)"),
        (
            lambda s: s.update({"sd_model.unet.conv_in.bias": torch.ones(8)}),
            r"sd_model\.unet\.conv_in\.bias should equal unet\.conv_in\.bias, and does not",
        ),
        (lambda s: s.update({"vae.encoder.conv_in.bias": "text"}), "is not a tensor"),
    ],
)
def test_conversion_is_strict_and_writes_nothing_then(
    original: FPDMPipeline, config: Path, tmp_path: Path, change: Any, message: str
) -> None:
    state = dict(published_names(original))
    change(state)
    with pytest.raises(UserError, match=message):
        convert_fpdm(write(tmp_path / "last.ckpt", state), tmp_path / "model", config)
    assert not (tmp_path / "model").exists()


def test_old_constants_are_dropped_by_name(original: FPDMPipeline, config: Path, tmp_path: Path) -> None:
    name = "fusion_model.img_encoder.vision_model.embeddings.position_ids"
    state = {**published_names(original), name: torch.arange(5)}
    report = convert_fpdm(write(tmp_path / "last.ckpt", state), tmp_path / "model", config)
    assert report.dropped == [name]


class Hostile:
    def __reduce__(self) -> Any:
        return os.system, (f"touch {MARK}",)


MARK = "/tmp/signgen-hostile-checkpoint"


def test_code_in_a_checkpoint_is_not_run(original: FPDMPipeline, config: Path, tmp_path: Path) -> None:
    Path(MARK).unlink(missing_ok=True)
    checkpoint = write(tmp_path / "last.ckpt", published_names(original), Hostile())
    convert_fpdm(checkpoint, tmp_path / "model", config)
    assert not Path(MARK).exists()


def test_broken_files_are_one_line(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.ckpt", {"vae.a": torch.zeros(3)}).read_bytes()
    contents = [b"", b"PK", whole[:200], whole[:-30], pickle.dumps({"state_dict": {}}), os.urandom(0) + b"\x80\x04."]
    for number, content in enumerate(contents):
        path = tmp_path / f"{number}.ckpt"
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"{number}.ckpt"):
            read_checkpoint(path)
    with pytest.raises(UserError, match="no such file"):
        read_checkpoint(tmp_path / "none.ckpt")


def test_equal_to_the_authors_implementation(shared: Path) -> None:
    fixture = shared / "parity" / "fpdm-tiny"
    if not fixture.is_dir():
        pytest.skip(f"{fixture} is not there")
    differences = runpy.run_path(str(REPOSITORY / "benchmarks" / "parity.py"))["differences"](fixture)
    images = {name: value for name, value in differences.items() if name.startswith("image_")}
    assert len(images) == 2
    assert max(images.values()) < 1e-3
    assert len(differences) == 11
    assert max(value for name, value in differences.items() if name not in images) < 1e-4


def test_pcdms_are_equal_to_the_authors_implementation(shared: Path) -> None:
    fixture = shared / "parity" / "pcdm-tiny"
    if not fixture.is_dir():
        pytest.skip(f"{fixture} is not there")
    differences = runpy.run_path(str(REPOSITORY / "benchmarks" / "parity.py"))["differences"](fixture)
    assert len(differences) == 11
    assert max(differences.values()) < 1e-4
