import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from torch import nn

from signgen.data import Triple, open_corpus
from signgen.data.pair_lists import write_pairs
from signgen.errors import UserError
from signgen.io.model_folder import load_component
from signgen.models.autoencoder import encode
from signgen.models.pixels import resize, to_images
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.train_diffusion import DiffusionObjective
from signgen.systems.trainings import load_settings
from signgen.training.checkpoint import checkpoints
from signgen.training.loop import Speed, learning_rate, make_optimizer
from signgen.training.settings import OptimizerSettings
from tests.tiny_training import CONFIGS, TrainTiny, losses


@pytest.mark.parametrize("kind", ["autoencoder", "fusion", "diffusion", "distill"])
def test_a_resumed_run_repeats_the_uninterrupted_one(
    kind: str, train_tiny: TrainTiny, trained_parts: list[str], tiny_pipeline: FPDMPipeline, tmp_path: Path
) -> None:
    tiny_pipeline.save_pretrained(tmp_path / "teacher")
    parts = {"diffusion": trained_parts, "distill": [f"teacher={tmp_path / 'teacher'}"]}.get(kind, [])
    whole = train_tiny(kind, tmp_path / "whole", *parts, "steps=6")

    # The same run, stopped after its third step: as at a time limit.
    halves = train_tiny(kind, tmp_path / "halves", *parts, "steps=6", "minutes=1e-9")
    assert list(halves) == [1]
    for _ in range(5):
        halves |= train_tiny(kind, tmp_path / "halves", *parts, "steps=6", "minutes=1e-9", resume=True)
    assert losses(halves) == pytest.approx(losses(whole), rel=1e-5)

    steps = [json.loads(line)["step"] for line in (tmp_path / "halves" / "log.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_accumulated_batches_are_one_large_batch(train_tiny: TrainTiny, tmp_path: Path) -> None:
    large = train_tiny("autoencoder", tmp_path / "large", "steps=3", "batch_size=4")
    accumulated = train_tiny("autoencoder", tmp_path / "small", "steps=3", "batch_size=2", "accumulation=2")
    assert losses(accumulated) == pytest.approx(losses(large), rel=1e-4)


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
    assert pipeline.config.picture_size == (52, 42)
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
    monkeypatch.setattr("signgen.training.loop.time.perf_counter", lambda: next(clock))
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
