"""The trainings of PCDMs, each on what the one before it made."""

from pathlib import Path

import numpy as np
import pytest
import torch

from signgen.data import open_corpus
from signgen.data.pair_lists import clip_lengths, random_pairs, write_pairs
from signgen.data.pairs import coarse_path
from signgen.errors import UserError
from signgen.models.prior import PosePrior
from signgen.systems.pcdm.coarse_images import make_coarse
from signgen.systems.pcdm.pipeline import PCDMPipeline
from signgen.systems.pcdm.train_inpaint import InpaintObjective
from signgen.systems.pcdm.train_refine import RefineSettings
from signgen.systems.trainings import load_settings
from signgen.video import read_image
from tests.tiny_training import CONFIGS, TrainTiny, losses


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every stage's model after a step of training each, made once for all tests here."""
    return tmp_path_factory.mktemp("pcdm")


@pytest.fixture
def stages(train_tiny: TrainTiny, small_corpus: Path, made: Path) -> dict[str, list[str]]:
    """Overrides of each stage that name what the stages before it made."""
    pairs, image_encoder = made / "pairs.csv", f"image_encoder={made / 'fusion' / 'model'}"
    found = {
        "autoencoder": [],
        "fusion": [],
        "pcdm-prior": [image_encoder],
        "pcdm-inpaint": [
            f"autoencoder={made / 'autoencoder' / 'model'}",
            image_encoder,
            f"prior={made / 'pcdm-prior' / 'model'}",
        ],
        "pcdm-refine": [
            f"inpaint={made / 'pcdm-inpaint' / 'model'}",
            f"coarse={made / 'coarse'}",
            f"data.pairs={pairs}",
        ],
    }
    if not pairs.exists():
        for kind in ("autoencoder", "fusion", "pcdm-prior", "pcdm-inpaint"):
            train_tiny(kind, made / kind, *found[kind], "steps=1", "ema=0")
        corpus = open_corpus(small_corpus, "train")
        write_pairs(pairs, corpus, random_pairs(clip_lengths(corpus), 7, seed=0))
        make_coarse(refine_settings(small_corpus, found["pcdm-refine"]))
    return found


def refine_settings(corpus: Path, overrides: list[str]) -> RefineSettings:
    given = [f"data.roots=[{corpus}]", "batch_size=3", *overrides]
    settings = load_settings("pcdm-refine", CONFIGS / "pcdm-refine.yaml", given)
    assert isinstance(settings, RefineSettings)
    return settings


@pytest.mark.parametrize("kind", ["pcdm-prior", "pcdm-inpaint", "pcdm-refine"])
def test_a_resumed_run_repeats_the_uninterrupted_one(
    kind: str, train_tiny: TrainTiny, stages: dict[str, list[str]], tmp_path: Path
) -> None:
    whole = train_tiny(kind, tmp_path / "whole", *stages[kind], "steps=3")
    halves = train_tiny(kind, tmp_path / "halves", *stages[kind], "steps=3", "minutes=1e-9")
    assert list(halves) == [1]
    for _ in range(2):
        halves |= train_tiny(kind, tmp_path / "halves", *stages[kind], "steps=3", "minutes=1e-9", resume=True)
    assert losses(halves) == pytest.approx(losses(whole), rel=1e-5)


@pytest.mark.parametrize("kind", ["pcdm-prior", "pcdm-inpaint", "pcdm-refine"])
def test_the_loss_falls(kind: str, train_tiny: TrainTiny, stages: dict[str, list[str]], tmp_path: Path) -> None:
    options = ["steps=30", "optimizer.warmup=0", "optimizer.decay=constant", "optimizer.learning_rate=3e-3"]
    numbers = losses(train_tiny(kind, tmp_path / "run", *stages[kind], *options, "batch_size=8"))
    first, last = (np.mean([numbers[step] for step in steps]) for steps in (range(1, 6), range(26, 31)))
    assert last < 0.9 * first


def test_all_stages_leave_a_model_that_renders(
    train_tiny: TrainTiny, stages: dict[str, list[str]], made: Path, tmp_path: Path
) -> None:
    train_tiny("pcdm-refine", tmp_path, *stages["pcdm-refine"], "steps=1")
    two, three = (PCDMPipeline.from_pretrained(run / "model") for run in (made / "pcdm-inpaint", tmp_path))
    assert two.refine is None
    assert three.refine is not None
    for ours, theirs in zip(two.inpaint.parameters(), three.inpaint.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_prior_knows_the_embeddings_statistics(stages: dict[str, list[str]], made: Path) -> None:
    prior = PosePrior.from_pretrained(made / "pcdm-prior" / "model")
    assert prior.config.embedding_std not in (0, 1)
    embeddings = torch.randn(3, prior.config.embedding_dim)
    assert torch.allclose(prior.restored(prior.normalised(embeddings)), embeddings, atol=1e-6)


def test_null_conditions_in_training_are_those_of_sampling(stages: dict[str, list[str]]) -> None:
    """All conditions dropped, the training's prediction is the null branch's."""
    drop = ["drop.everything=1", "data.roots=[x]"]
    settings = load_settings("pcdm-inpaint", CONFIGS / "pcdm-inpaint.yaml", [*stages["pcdm-inpaint"], *drop])
    objective = InpaintObjective(settings).eval()
    seen: list[tuple] = []
    objective.inpaint.register_forward_pre_hook(lambda module, args: seen.append(args))
    generator = torch.Generator().manual_seed(0)
    frames = {
        name: torch.randint(0, 256, (2, *objective.size, 3), dtype=torch.uint8, generator=generator)
        for name in ("source", "target", "pose", "source_pose")
    }
    points = torch.rand(2, 133, 3, generator=generator) * 40
    batch = frames | {"keypoints": points, "source_keypoints": points, "uniform": torch.rand(2, 8)}
    batch["noise"] = torch.randn(2, objective.noise_count, generator=generator)
    with torch.no_grad():
        objective(batch)
        latents, timesteps, context, features, embedding = seen[0]
        null = objective.inpaint(latents, timesteps, context.for_branches(0, 2), features, torch.zeros_like(embedding))
        trained = objective.inpaint(latents, timesteps, context, features, embedding)
    assert embedding.abs().max() == 0
    assert torch.allclose(trained, null, atol=1e-6)


def test_coarse_images_are_made_once_and_go_on(
    stages: dict[str, list[str]],
    small_corpus: Path,
    made: Path,
) -> None:
    settings = refine_settings(small_corpus, stages["pcdm-refine"])
    assert make_coarse(settings) == 0
    path = coarse_path(made / "coarse", 4)
    before = read_image(path)
    path.unlink()
    assert make_coarse(settings) == 1
    assert np.abs(read_image(path).astype(int) - before).max() <= 1  # alone in its batch
    with pytest.raises(UserError, match="made with other settings"):
        make_coarse(refine_settings(small_corpus, [*stages["pcdm-refine"], "seed=3"]))


def test_stage_3_without_its_pairs_or_with_validation_is_refused(
    train_tiny: TrainTiny, stages: dict[str, list[str]], small_corpus: Path, tmp_path: Path
) -> None:
    without_pairs = [override for override in stages["pcdm-refine"] if not override.startswith("data.pairs")]
    with pytest.raises(UserError, match=r"set data\.pairs"):
        train_tiny("pcdm-refine", tmp_path / "run", *without_pairs, "steps=1")
    with pytest.raises(UserError, match="validation must be empty"):
        refine_settings(small_corpus, [*stages["pcdm-refine"], "validation=[x]"])
