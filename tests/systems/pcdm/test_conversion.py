"""Checkpoints of PCDMs' stages, written here under the published names from networks of test size."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.io.model_folder import load_component
from signgen.models.prior import PosePrior
from signgen.models.unet import ConditionalUNet
from signgen.systems.pcdm.conversion import PRIOR_PLACES, STAGES, UNET_PLACES, convert_pcdm
from signgen.systems.pcdm.pipeline import PCDMPipeline
from signgen.systems.pcdm.presets import PAPER, TINY

UNET = TINY.inpaint["unet_config"]


@pytest.fixture(scope="module")
def networks() -> dict[str, Any]:
    """The three networks with the widths that config.json does not give as published."""
    torch.manual_seed(2)
    prior = PosePrior(embedding_dim=8, heads=2, head_width=8, layers=1)
    inpaint = PAPER.inpaint | {"unet_config": UNET | {"in_channels": 9}, "fusion_dim": 8}
    refine = PAPER.refine | {"unet_config": UNET | {"in_channels": 8}}
    return {"prior": prior, "inpaint": ConditionalUNet(**inpaint), "refine": ConditionalUNet(**refine)}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    content = {
        "prior": {"num_attention_heads": 2, "attention_head_dim": 8, "num_layers": 1, "embedding_dim": 8},
        "unet": UNET,
        "inpaint": {
            "in_channels": 9,
            "class_embed_type": "projection",
            "projection_class_embeddings_input_dim": 8,
        },
        "refine": {"in_channels": 8},
    }
    path = tmp_path_factory.mktemp("sizes") / "config.json"
    path.write_text(json.dumps(content))
    return path


def published(networks: dict[str, Any], stage: str) -> dict[str, Tensor]:
    places = PRIOR_PLACES if stage == "prior" else UNET_PLACES
    state = {}
    for name, tensor in networks[stage].state_dict().items():
        new = max((new for new in places.values() if name.startswith(new)), key=len)
        old = next(old for old, place in places.items() if place == new)
        state[old + name.removeprefix(new)] = tensor
    return state


def write(folder: Path, states: dict[str, dict[str, Any]]) -> list[Path]:
    paths = []
    for stage, state in states.items():
        paths.append(folder / f"{stage}.pt")
        torch.save({"module": state, "epoch": 3, "last_global_step": 7}, paths[-1])
    return paths


def test_three_stages_become_a_pipeline_whatever_their_order(
    networks: dict[str, Any], config: Path, tmp_path: Path
) -> None:
    paths = write(tmp_path, {stage: published(networks, stage) for stage in ("refine", "prior", "inpaint")})
    report = convert_pcdm(paths, tmp_path / "model", config)
    assert report.used == sum(len(network.state_dict()) for network in networks.values())
    pipeline = PCDMPipeline.from_pretrained(tmp_path / "model")
    for stage, network in networks.items():
        converted = getattr(pipeline, stage).state_dict()
        assert all(torch.equal(converted[name], tensor) for name, tensor in network.state_dict().items())
    assert pipeline.vae is None


@pytest.mark.parametrize("stage", list(STAGES))
def test_a_single_stage_becomes_its_network(networks: dict[str, Any], config: Path, tmp_path: Path, stage: str) -> None:
    convert_pcdm(write(tmp_path, {stage: published(networks, stage)}), tmp_path / "network", config)
    network = load_component(type(networks[stage]), tmp_path / "network")
    assert all(torch.equal(network.state_dict()[name], value) for name, value in networks[stage].state_dict().items())


def test_frozen_parts_that_are_given_are_saved(
    networks: dict[str, Any], config: Path, tmp_path: Path, tiny_pcdm: PCDMPipeline
) -> None:
    paths = write(tmp_path, {stage: published(networks, stage) for stage in STAGES})
    convert_pcdm(paths, tmp_path / "model", config, {"vae": tiny_pcdm.vae})
    assert PCDMPipeline.from_pretrained(tmp_path / "model").vae is not None


@pytest.mark.parametrize(
    ("stage", "change", "message"),
    [
        ("prior", lambda s: s.pop("prd_embedding"), "of none of PCDMs' stages"),
        ("prior", lambda s: s.pop("proj_in.bias"), r"prior: 1 missing tensors in the checkpoint: transformer\.proj_in"),
        ("inpaint", lambda s: s.update(stranger=torch.ones(1)), "tensor stranger belongs to no part of PCDMs"),
        ("inpaint", lambda s: s.update({"unet.more": torch.ones(1)}), "inpaint: 1 unexpected tensors"),
        ("refine", lambda s: s.update({"unet.conv_in.bias": torch.ones(3)}), r"has shape \(3,\), not \(8,\)"),
        ("refine", lambda s: s.update({"unet.conv_in.bias": "text"}), "is not a tensor"),
    ],
)
def test_conversion_is_strict_and_writes_nothing_then(
    networks: dict[str, Any], config: Path, tmp_path: Path, stage: str, change: Any, message: str
) -> None:
    states = {name: published(networks, name) for name in STAGES}
    change(states[stage])
    with pytest.raises(UserError, match=message):
        convert_pcdm(write(tmp_path, states), tmp_path / "model", config)
    assert not (tmp_path / "model").exists()


def test_stages_are_complete_or_single(networks: dict[str, Any], config: Path, tmp_path: Path) -> None:
    paths = write(tmp_path, {stage: published(networks, stage) for stage in ("prior", "inpaint")})
    with pytest.raises(UserError, match="here are the stages prior and inpaint: give all three, or one"):
        convert_pcdm(paths, tmp_path / "model", config)
    with pytest.raises(UserError, match="is of stage 1, as another of the checkpoints is"):
        convert_pcdm([paths[0], paths[0]], tmp_path / "model", config)
