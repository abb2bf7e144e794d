import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import default_collate

from signgen.data import PairDataset, Triple, open_corpus
from signgen.data.pair_lists import write_pairs
from signgen.errors import UserError
from signgen.io.model_folder import load_component
from signgen.models.autoencoder import encode
from signgen.models.pixels import resize, to_images
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.train_diffusion import DiffusionObjective
from signgen.systems.trainings import KINDS, load_settings
from signgen.training.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from signgen.training.loop import ASK_EVERY, Trainer
from signgen.training.optimizer import learning_rate, make_optimizer
from signgen.training.settings import OptimizerSettings
from signgen.training.speed import Speed, sample_flops
from tests.tiny_training import CONFIGS, TrainTiny, losses


def run_state(folder: Path) -> dict[str, Any]:
    """Everything that a run left: its newest checkpoint without settings, and the tensors of the saved model."""
    state = load_checkpoint(folder / "checkpoints")
    del state["settings"], state["data"]
    files = sorted((folder / "model").rglob("*.safetensors"))
    return state | {"model": {str(path.relative_to(folder)): load_file(path) for path in files}}


@pytest.mark.parametrize("kind", ["autoencoder", "fusion", "diffusion", "distill"])
def test_a_resumed_run_repeats_the_uninterrupted_one(
    kind: str, train_tiny: TrainTiny, trained_parts: list[str], tiny_pipeline: FPDMPipeline, tmp_path: Path
) -> None:
    tiny_pipeline.save_pretrained(tmp_path / "teacher")
    parts = {"diffusion": trained_parts, "distill": [f"teacher={tmp_path / 'teacher'}"]}.get(kind, [])
    given = [*parts, "steps=3", "ema=0.5"]
    whole = train_tiny(kind, tmp_path / "whole", *given)

    halves = train_tiny(kind, tmp_path / "halves", *given, "minutes=1e-9")
    assert list(halves) == [1]  # stopped after a step, as at a time limit
    halves |= train_tiny(kind, tmp_path / "halves", *given, resume=True, changes=True)
    assert losses(halves) == losses(whole)
    torch.testing.assert_close(run_state(tmp_path / "halves"), run_state(tmp_path / "whole"), rtol=0, atol=0)
    config = "model/config.json" if kind in ("autoencoder", "fusion") else "model/model_index.json"
    assert (tmp_path / "halves" / config).read_text() == (tmp_path / "whole" / config).read_text()

    steps = [json.loads(line)["step"] for line in (tmp_path / "halves" / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3]


@pytest.mark.parametrize("kind", ["autoencoder", "fusion"])
def test_counting_operations_changes_nothing(kind: str, small_corpus: Path) -> None:
    settings = load_settings(kind, CONFIGS / f"{kind}.yaml")
    objective = KINDS[kind][1](settings)
    objective.freeze()
    objective.train()
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    dataset = PairDataset(
        open_corpus([str(small_corpus)], "train"), objective.size, 1, 0, noise_shape=(objective.noise_count,)
    )
    assert sample_flops(objective, default_collate([dataset[0]])) > 0
    torch.testing.assert_close(objective.state_dict(), before, rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in objective.parameters())


def test_a_batch_taken_in_parts_is_the_same_training(train_tiny: TrainTiny, tmp_path: Path) -> None:
    whole = train_tiny("autoencoder", tmp_path / "whole", "steps=3", "batch_size=4")
    parts = train_tiny("autoencoder", tmp_path / "parts", "steps=3", "batch_size=4", "device_batch=2")
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)
    scaling = [
        load_component(AutoencoderKL, tmp_path / run / "model").config.scaling_factor for run in ("whole", "parts")
    ]
    assert scaling[1] == pytest.approx(scaling[0], rel=1e-5)


def test_a_run_is_resumed_with_its_own_settings(train_tiny: TrainTiny, small_corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_tiny("autoencoder", run, "steps=1")
    for setting in ("seed=5", "batch_size=2", "optimizer.learning_rate=3e-4", f"data.roots=[{tmp_path}]"):
        with pytest.raises(UserError, match=f"{setting.partition('=')[0]} is .*, was .*choose another output"):
            train_tiny("autoencoder", run, "steps=1", setting, resume=True, changes=True)
    with pytest.raises(UserError, match=r"steps is 2, was 1.*--allow-changes"):
        train_tiny("autoencoder", run, "steps=2", resume=True)
    assert list(train_tiny("autoencoder", run, "steps=2", "data.workers=1", resume=True, changes=True)) == [2]


def test_a_run_is_resumed_on_its_own_data(train_tiny: TrainTiny, small_corpus: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(small_corpus, corpus)
    given = [f"data.roots=[{corpus}]", "steps=1"]
    train_tiny("autoencoder", tmp_path / "run", *given)
    table = corpus / "train.corpus.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(UserError, match=r"not those that .* was trained on"):
        train_tiny("autoencoder", tmp_path / "run", *given, resume=True)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (("ema",), "lacks ema"),
        (("weights", "vae.decoder.conv_in.weight"), "lacks weights.vae.decoder.conv_in.weight"),
        (("weights", "seen"), "lacks weights.seen"),
        (("optimizer", "state", 0), "lacks optimizer.0"),
        (("ema", "shadow_params"), "lacks ema.shadow_params"),
    ],
)
def test_a_part_missing_in_a_checkpoint_is_an_error(
    train_tiny: TrainTiny, tmp_path: Path, part: tuple[Any, ...], message: str
) -> None:
    train_tiny("autoencoder", tmp_path / "run", "steps=1", "ema=0.5")
    folder = tmp_path / "run" / "checkpoints"
    state = load_checkpoint(folder)
    *path, last = part
    holder = state
    for name in path:
        holder = holder[name]
    del holder[last]
    save_checkpoint(folder, 1, state)
    with pytest.raises(UserError, match=message):
        train_tiny("autoencoder", tmp_path / "run", "steps=1", "ema=0.5", resume=True)


def test_a_line_of_the_log_that_a_kill_cut_short_does_not_stop_a_run(train_tiny: TrainTiny, tmp_path: Path) -> None:
    log = tmp_path / "run" / "log.jsonl"
    train_tiny("autoencoder", tmp_path / "run", "steps=1")
    log.write_text(log.read_text() + '{"step": 1, "lo')
    train_tiny("autoencoder", tmp_path / "run", "steps=2", resume=True, changes=True)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [1, 2]


def test_a_checkpoint_is_of_finite_numbers(train_tiny: TrainTiny, tmp_path: Path) -> None:
    given = ["steps=4", "optimizer.learning_rate=1e30", "optimizer.warmup=0", "log_every=9", "checkpoint_every=1"]
    with pytest.raises(UserError, match="not finite at step 2"):
        train_tiny("autoencoder", tmp_path / "run", *given)
    assert [path.name for path in checkpoints(tmp_path / "run" / "checkpoints")] == ["step-00000001.pt"]


def test_the_average_is_what_the_settings_say(small_corpus: Path, tmp_path: Path) -> None:
    given = [
        f"output={tmp_path}",
        f"data.roots=[{small_corpus}]",
        "validation=[]",
        "log_every=1",
        "steps=4",
        "ema=0.25",
    ]
    settings = load_settings("autoencoder", CONFIGS / "autoencoder.yaml", given)
    AcceleratorState._reset_state(reset_partial_state=True)
    trainer = Trainer(KINDS["autoencoder"][1](settings), settings)
    weights: list[Tensor] = []
    trainer.run(lambda step, values: weights.append(trainer.parameters[0].detach().clone()))
    expected = weights[0]
    for step, latest in enumerate(weights[1:], start=2):
        decay = min(0.25, step / (step + 9))
        expected = decay * expected + (1 - decay) * latest
    assert trainer.ema is not None
    torch.testing.assert_close(trainer.ema.shadow_params[0], expected)


def test_processes_agree_to_stop_without_asking_at_every_step() -> None:
    asked = []

    def reduce(wanted: Tensor) -> Tensor:
        asked.append(trainer.step)
        return wanted

    trainer = SimpleNamespace(accelerator=SimpleNamespace(num_processes=2, device="cpu", reduce=reduce))
    answers = []
    for trainer.step in range(1, 2 * ASK_EVERY + 1):
        answers.append(Trainer.agree_to_stop(trainer, wanted=True))
    assert asked == [ASK_EVERY, 2 * ASK_EVERY]
    assert [step for step, answer in enumerate(answers, start=1) if answer] == asked


def test_the_loss_falls(train_tiny: TrainTiny, tmp_path: Path) -> None:
    numbers = losses(train_tiny("autoencoder", tmp_path / "run", "steps=20", "optimizer.warmup=0"))
    assert numbers[20] < 0.8 * numbers[1]


def test_saved_latents_have_unit_variance(train_tiny: TrainTiny, small_corpus: Path, tmp_path: Path) -> None:
    train_tiny("autoencoder", tmp_path / "run", "steps=3", "ema=0", "optimizer.learning_rate=1e-6")
    vae = load_component(AutoencoderKL, tmp_path / "run" / "model")
    frames = torch.from_numpy(open_corpus([str(small_corpus)], "train").reader(0)[2].copy())
    with torch.no_grad():
        latents = encode(vae, to_images(resize(frames[None], (52, 42)))).detach()
    assert latents.square().mean().sqrt().item() == pytest.approx(1, rel=0.3)


def test_a_frozen_encoder_keeps_its_latents(train_tiny: TrainTiny, tmp_path: Path) -> None:
    train_tiny("autoencoder", tmp_path / "first", "steps=2")
    start = tmp_path / "first" / "model"
    train_tiny("autoencoder", tmp_path / "second", f"autoencoder={start}", "freeze_encoder=true", "steps=3")
    before, after = (load_component(AutoencoderKL, tmp_path / run / "model") for run in ("first", "second"))
    images = torch.rand(1, 3, 52, 42) * 2 - 1
    with torch.no_grad():
        assert torch.equal(encode(before, images), encode(after, images))
    assert not torch.equal(before.decoder.conv_out.weight, after.decoder.conv_out.weight)
    with pytest.raises(UserError, match="freeze_encoder needs an encoder"):
        train_tiny("autoencoder", tmp_path / "third", "freeze_encoder=true")


def test_a_run_leaves_a_model_that_renders(train_tiny: TrainTiny, trained_parts: list[str], tmp_path: Path) -> None:
    train_tiny("diffusion", tmp_path / "run", *trained_parts, "steps=2", "precision=bf16")
    pipeline = FPDMPipeline.from_pretrained(tmp_path / "run" / "model")
    assert pipeline.config.image_size == (52, 42)
    assert (tmp_path / "run" / "config.yaml").exists()
    assert len(checkpoints(tmp_path / "run" / "checkpoints")) == 1


def test_validation_scores_and_shows_the_dev_split(
    train_tiny: TrainTiny, trained_parts: list[str], small_corpus: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    for name in ("keypoints/{}.npz", "{}.corpus.csv", "videos/{}"):
        link = corpus / name.format("dev")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(small_corpus / name.format("train"))
    train_tiny("diffusion", tmp_path / "run", *trained_parts, f"validation=[{corpus}]", "steps=2", "validate_every=2")
    last = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert last["validation/loss"] > 0
    assert (tmp_path / "run" / "samples" / "step-00000002.png").exists()
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_a_corpus_that_is_not_there_leaves_no_folder(train_tiny: TrainTiny, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such corpus folder"):
        train_tiny("autoencoder", tmp_path / "run", f"data.roots=[{tmp_path / 'nowhere'}]")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten(train_tiny: TrainTiny, tmp_path: Path) -> None:
    train_tiny("autoencoder", tmp_path / "run", "steps=1")
    with pytest.raises(UserError, match="holds a run already"):
        train_tiny("autoencoder", tmp_path / "run", "steps=1")
    with pytest.raises(UserError, match="nothing to resume"):
        train_tiny("autoencoder", tmp_path / "other", "steps=1", resume=True)


def test_a_damaged_checkpoint_is_one_line(train_tiny: TrainTiny, tmp_path: Path) -> None:
    train_tiny("autoencoder", tmp_path / "run", "steps=1")
    path = checkpoints(tmp_path / "run" / "checkpoints")[0]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match="cannot be read"):
        train_tiny("autoencoder", tmp_path / "run", "steps=2", resume=True)


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("constant", [0.5, 1, 1, 1, 1]),
        ("cosine", [0.5, 0.853553, 0.5, 0.146447, 0.037]),
        ("linear", [0.5, 1, 1, 0.5, 0.25]),
        ("step", [0.5, 1, 0.1, 0.1, 0.1]),
    ],
)
def test_learning_rates(decay: str, expected: list[float]) -> None:
    settings = OptimizerSettings(learning_rate=1.0, warmup=2, decay=decay, decay_after=4)
    rates = [learning_rate(settings, step, 8) for step in (0, 2, 4, 6, 7)]
    assert rates == pytest.approx(expected, abs=2e-3)


def test_what_is_no_training_does_not_count_in_its_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0, 7.0, 9.0, 11.0])
    monkeypatch.setattr("signgen.training.speed.time.perf_counter", lambda: next(clock))
    speed = Speed(flops=3.0, limit=24.0)
    with speed.paused():  # from 2 to 7
        pass
    assert speed.measure(16) == {"samples_per_second": 4.0, "flop_utilisation": 0.5}
    assert speed.measure(16)["samples_per_second"] == 8.0


def test_frozen_parts_stay_frozen_and_in_eval_mode(trained_parts: list[str]) -> None:
    settings = load_settings(
        "diffusion", CONFIGS / "diffusion.yaml", [*trained_parts, "train_source_encoder=true", "data.roots=[x]"]
    )
    objective = DiffusionObjective(settings)
    objective.freeze()
    objective.train()
    assert objective.unet.training
    assert objective.source_encoder.training
    assert not objective.fusion.training
    assert not objective.fusion.combiner.dropout.training
    assert not objective.vae.training
    assert not any(parameter.requires_grad for parameter in objective.fusion.parameters())
    assert all(parameter.requires_grad for parameter in objective.unet.parameters())


def test_moments_of_eight_bits_need_a_gpu() -> None:
    with pytest.raises(UserError, match="eight_bit needs a CUDA device"):
        make_optimizer(OptimizerSettings(eight_bit=True), [nn.Parameter(torch.zeros(2))], torch.device("cpu"))


def test_training_draws_from_a_list_of_pairs(train_tiny: TrainTiny, small_corpus: Path, tmp_path: Path) -> None:
    corpus = open_corpus([str(small_corpus)], "train")
    same = tmp_path / "same.csv"
    write_pairs(same, corpus, [Triple(1, 2, 3)])
    plain = [f"data.augmentation.{change}=0" for change in ("flip", "keypoint_jitter", "colour")]
    # With one pair in the list, every row of the batch is the same: the right one cannot be told from the others.
    numbers = train_tiny("fusion", tmp_path / "run", "steps=1", *plain, f"data.pairs={same}")
    assert numbers[1]["retrieval"] == pytest.approx(0.25)
    with pytest.raises(UserError, match="not a list of pairs"):
        train_tiny("fusion", tmp_path / "other", "steps=1", f"data.pairs={small_corpus / 'train.corpus.csv'}")
