import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from signgen.errors import UserError
from signgen.io.model_folder import save_model
from signgen.io.model_location import model_folder
from signgen.models.unet import ConditionalUNet
from signgen.systems.fpdm.pipeline import FPDMPipeline


@pytest.fixture
def folder(tiny_pipeline: FPDMPipeline, tmp_path: Path) -> Path:
    tiny_pipeline.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def weights(folder: Path, part: str) -> Path:
    return next((folder / part).glob("*.safetensors"))


def test_a_saved_pipeline_renders_the_same(tiny_pipeline: FPDMPipeline, folder: Path) -> None:
    rng = np.random.default_rng(1)
    source, pose = (Image.fromarray(rng.integers(0, 256, (52, 42, 3), dtype=np.uint8)) for _ in range(2))
    again = FPDMPipeline.from_pretrained(folder)
    assert again.config.sampling == tiny_pipeline.config.sampling
    assert np.allclose(tiny_pipeline(source, [pose]).frames, again(source, [pose]).frames, atol=1e-5)


def test_a_saved_folder_does_not_say_where_its_parts_came_from(folder: Path, tmp_path: Path) -> None:
    again = FPDMPipeline.from_pretrained(folder)  # now diffusers knows a place of every part
    again.save_pretrained(tmp_path / "again")
    save_model(again.vae, tmp_path / "vae")
    save_model(again.source_encoder, tmp_path / "source_encoder")
    written = list(tmp_path.rglob("*.json"))
    assert len(written) > 10
    assert not [path for path in written if str(tmp_path) in path.read_text() or "_name_or_path" in path.read_text()]
    FPDMPipeline.from_pretrained(tmp_path / "again")


def test_nothing_but_safetensors_is_written(folder: Path) -> None:
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == {".json", ".safetensors"}


@pytest.mark.parametrize("part", ["vae", "unet", "fusion", "source_encoder"])
def test_loading_is_strict(folder: Path, part: str) -> None:
    path = weights(folder, part)
    tensors = load_file(path)
    name = sorted(tensors)[0]
    metadata = {"format": "pt"}

    save_file({key: value for key, value in tensors.items() if key != name}, path, metadata)
    with pytest.raises(UserError, match=f"{part}: 1 missing tensors: .*{name.split('.')[-1]}"):
        FPDMPipeline.from_pretrained(folder)

    save_file({**tensors, "stranger": tensors[name].clone()}, path, metadata)
    with pytest.raises(UserError, match=f"{part}: 1 unexpected tensors: stranger"):
        FPDMPipeline.from_pretrained(folder)

    save_file({**tensors, name: tensors[name].flatten()[:1].clone()}, path, metadata)
    with pytest.raises(UserError, match=part):
        FPDMPipeline.from_pretrained(folder)


def test_damaged_weights_are_one_line(folder: Path) -> None:
    path = weights(folder, "unet")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"unet/.*: broken weights"):
        FPDMPipeline.from_pretrained(folder)


def test_code_of_strangers_is_not_imported(folder: Path) -> None:
    index = json.loads((folder / "model_index.json").read_text())
    index["unet"] = ["os", "system"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(UserError, match="component unet is a system of os; signgen loads only: AutoencoderKL, "):
        FPDMPipeline.from_pretrained(folder)


def test_a_saved_folder_names_no_module_and_one_that_does_loads(folder: Path) -> None:
    path = folder / "model_index.json"
    index = json.loads(path.read_text())
    assert index["unet"] == ["signgen", "ConditionalUNet"]
    assert "signgen." not in path.read_text()
    path.write_text(json.dumps(index | {"unet": ["signgen.models.unet", "ConditionalUNet"]}))
    assert type(FPDMPipeline.from_pretrained(folder).unet) is ConditionalUNet


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nonesuch", "unknown model 'nonesuch'"),
        ("./nowhere/at/all", "unknown model"),
        ("", "model"),
        ("../mini", "model"),
    ],
)
def test_unknown_models_are_refused(name: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        model_folder(name)


def test_a_folder_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a model folder: it has no model_index\.json"):
        model_folder(tmp_path)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("unet", "auto_map", {"AutoConfig": "evil.Config"}),
        ("source_encoder", "auto_map", {"AutoConfig": "evil.Config"}),
        ("source_encoder", "_attn_implementation", "owner/kernel"),
        ("source_encoder", "quantization_config", {"quant_method": "bitsandbytes"}),
        ("source_encoder", "num_hidden_layers", 2**31),
        ("source_encoder", "num_hidden_layers", 60_000),
        ("source_encoder", "hidden_size", 60_000),
        ("source_encoder", "hidden_size", "a"),
        ("vae", "block_out_channels", [8] * 9000),
        ("vae", "layers_per_block", [[[[[[[[[[[]]]]]]]]]]]),
        ("scheduler", "num_train_timesteps", 2**31),
        ("scheduler", "beta_schedule", "unheard of"),
        ("scheduler", "beta_start", float("nan")),
    ],
)
def test_a_configuration_asks_for_no_code_and_for_no_more_than_there_is(
    folder: Path, part: str, key: str, value: object
) -> None:
    path = folder / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(UserError, match=f"{part}"):
        FPDMPipeline.from_pretrained(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("scheduler", ["transformers", "AutoConfig"]),
        ("vae", ["transformers", "Dinov2Model"]),
        ("vae", [None, None]),
        ("vae", 3),
        ("image_size", [10**6, 10**6]),
        ("image_size", "large"),
        ("image_size", [16]),
        ("sampling", [1]),
        ("start", {}),
        ("unheard_of", 1),
    ],
)
def test_an_index_names_the_parts_and_settings_of_its_pipeline(folder: Path, key: str, value: object) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(UserError, match=key):
        FPDMPipeline.from_pretrained(folder)
