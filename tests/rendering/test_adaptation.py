from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import AutoencoderKL

from signgen.errors import UserError
from signgen.io.model_folder import load_component, quiet_libraries
from signgen.poses import PoseSequence
from signgen.rendering.adaptation import Effort, adapt
from signgen.rendering.generator import render
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.training.loop import Report

QUICK = Effort(decoder=6, denoiser=4, batch_size=2, precision="fp32")


@pytest.fixture
def clip() -> tuple[list[np.ndarray], PoseSequence]:
    """Six frames, wider than the model's, with a bright square that goes where the points are."""
    rng = np.random.default_rng(0)
    frames = [np.full((60, 80, 3), 40, np.uint8) for _ in range(6)]
    points = np.ones((6, 133, 3), np.float32)
    for index, frame in enumerate(frames):
        frame[20:30, 30 + 2 * index : 40 + 2 * index] = 220
        points[index, :, :2] = rng.normal((35 + 2 * index, 25), 4, size=(133, 2))
    return frames, PoseSequence(points, (80, 60), 25.0, "coco-wholebody-133")


@pytest.fixture
def tiny_folder(tiny_from_source: FPDMPipeline, tmp_path: Path) -> Path:
    with quiet_libraries():
        tiny_from_source.save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


def numbers(told: dict[str, list[float]]):
    AcceleratorState._reset_state(reset_partial_state=True)

    def reports(name: str, steps: int) -> Report:
        return lambda step, values: told.setdefault(name, []).append(values["loss"])

    return reports


def test_the_adapted_model_renders_and_only_the_encoder_and_fusion_are_as_before(
    clip: tuple[list[np.ndarray], PoseSequence], tiny_folder: Path, tmp_path: Path
) -> None:
    told: dict[str, list[float]] = {}
    output = tmp_path / "adapted"
    adapt(*clip, output, reports=numbers(told), model=str(tiny_folder), size="tiny", effort=QUICK)
    assert set(told) == {"decoder", "denoiser"}
    before, after = FPDMPipeline.from_pretrained(tiny_folder), FPDMPipeline.from_pretrained(output)
    for name, old in before.vae.state_dict().items():
        same = torch.equal(old.half(), after.vae.state_dict()[name].half())
        assert same == name.startswith(("encoder", "quant_conv")), name
    assert all(
        torch.equal(old.half(), new.half())
        for old, new in zip(before.fusion.state_dict().values(), after.fusion.state_dict().values(), strict=True)
    )
    changed = [
        not torch.equal(old.half(), new.half())
        for old, new in zip(before.unet.parameters(), after.unet.parameters(), strict=True)
    ]
    assert any(changed)
    assert after.config.start == "source"
    assert after.config.sampling == before.config.sampling
    assert len(list(render(after, clip[0][0], clip[1]))) == 6
    assert "consent" in (output / "README.md").read_text()
    assert not list(tmp_path.glob("*.work"))


def test_a_model_that_moves_the_first_frame_is_adapted_with_its_composition(
    clip: tuple[list[np.ndarray], PoseSequence], tiny_from_transport: FPDMPipeline, tmp_path: Path
) -> None:
    with quiet_libraries():
        tiny_from_transport.save_pretrained(tmp_path / "tiny")
    output, told = tmp_path / "adapted", {}
    adapt(*clip, output, reports=numbers(told), model=str(tmp_path / "tiny"), size="tiny", effort=QUICK)
    before, after = FPDMPipeline.from_pretrained(tmp_path / "tiny"), FPDMPipeline.from_pretrained(output)
    assert after.config.start == "transport"
    assert after.config.sampling == before.config.sampling
    assert type(after.vae) is type(before.vae)
    assert not torch.equal(before.composition.leave.weight.half(), after.composition.leave.weight.half())
    assert len(list(render(after, clip[0][0], clip[1], source_pose=clip[1][:1]))) == 6


def test_a_stopped_adaptation_goes_on(
    clip: tuple[list[np.ndarray], PoseSequence], tiny_folder: Path, tmp_path: Path
) -> None:
    def stopping(name: str, steps: int) -> Report:
        AcceleratorState._reset_state(reset_partial_state=True)

        def report(step: int, values: dict[str, float]) -> None:
            if name == "denoiser":
                raise KeyboardInterrupt

        return report

    options = {"model": str(tiny_folder), "size": "tiny", "effort": QUICK}
    with pytest.raises(KeyboardInterrupt):
        adapt(*clip, tmp_path / "adapted", reports=stopping, **options)
    assert not (tmp_path / "adapted").exists()
    told: dict[str, list[float]] = {}
    adapt(*clip, tmp_path / "adapted", reports=numbers(told), **options)
    assert "decoder" not in told  # it was done
    assert load_component(AutoencoderKL, tmp_path / "adapted" / "vae")


@pytest.mark.parametrize(
    ("frames", "poses", "size", "message"),
    [
        (slice(None), slice(3), "tiny", "6 frames but 3 poses"),
        (slice(1), slice(1), "tiny", "one frame"),
        (slice(None), slice(None), "mini", "not of mini's size"),
    ],
)
def test_what_cannot_be_learned_from_is_one_line(
    clip: tuple[list[np.ndarray], PoseSequence],
    tiny_folder: Path,
    tmp_path: Path,
    frames: slice,
    poses: slice,
    size: str,
    message: str,
) -> None:
    with pytest.raises(UserError, match=message):
        adapt(
            clip[0][frames],
            clip[1][poses],
            tmp_path / "adapted",
            reports=numbers({}),
            model=str(tiny_folder),
            size=size,
        )
    assert not (tmp_path / "adapted").exists()


def test_a_model_of_many_steps_is_to_be_distilled_first(
    clip: tuple[list[np.ndarray], PoseSequence], tiny_pipeline: FPDMPipeline, tmp_path: Path
) -> None:
    slow = FPDMPipeline(**tiny_pipeline.components, image_size=(52, 42), sampling={"steps": 20})
    with quiet_libraries():
        slow.save_pretrained(tmp_path / "slow")
    with pytest.raises(UserError, match="renders in 20 steps: distill it first"):
        adapt(*clip, tmp_path / "adapted", reports=numbers({}), model=str(tmp_path / "slow"), size="tiny")


def test_another_folder_is_not_replaced(
    clip: tuple[list[np.ndarray], PoseSequence], tiny_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match="no model folder"):
        adapt(*clip, tmp_path / "mine", reports=numbers({}), model=str(tiny_folder), size="tiny")
