from pathlib import Path

import pytest
import torch
from torch.utils.data import default_collate

from signgen.data import PairDataset, open_corpus
from signgen.errors import UserError
from signgen.models.pose_inputs import PoseInputs
from signgen.systems.fpdm.pipeline import FPDMPipeline
from signgen.systems.fpdm.train_distillation import DistillationObjective, patches
from signgen.systems.trainings import load_settings
from signgen.training.objective import Batch
from tests.tiny_training import CONFIGS, TrainTiny, losses


@pytest.fixture
def teacher(tiny_pipeline: FPDMPipeline, tmp_path: Path) -> Path:
    tiny_pipeline.save_pretrained(tmp_path / "teacher")
    return tmp_path / "teacher"


def objective_of(teacher: Path, *overrides: str) -> DistillationObjective:
    given = [f"teacher={teacher}", "data.roots=[x]", *overrides]
    return DistillationObjective(load_settings("distill", CONFIGS / "distill.yaml", given))


def batch_of(corpus: Path, objective: DistillationObjective, count: int) -> Batch:
    clips = open_corpus([str(corpus)], "train")
    dataset = PairDataset(
        clips,
        objective.size,
        count,
        seed=99,
        noise_shape=(objective.noise_count,),
        source_pose=objective.source_pose,
    )
    return default_collate([dataset[n] for n in range(count)])


def test_a_student_comes_nearer_to_its_teachers_result_than_the_teacher_in_as_few_steps(
    train_tiny: TrainTiny, teacher: Path, small_corpus: Path, tmp_path: Path
) -> None:
    options = ("student_steps=1", "steps=30", "optimizer.warmup=0", "optimizer.learning_rate=2e-3", "ema=0")
    numbers = losses(train_tiny("distill", tmp_path / "run", f"teacher={teacher}", *options))
    assert sum(numbers[step] for step in range(26, 31)) < 0.7 * sum(numbers[step] for step in range(1, 6))

    objective = objective_of(teacher)
    batch = batch_of(small_corpus, objective, 16)
    noise = batch["noise"].view(-1, *objective.latent_shape)
    _, target = objective.targets(batch, noise)["imitation"]

    def error(folder: Path, **options: float) -> float:
        pipeline = FPDMPipeline.from_pretrained(folder)
        source, given = pipeline.encode_source(batch["source"]), pipeline.sampling_options(**options)
        latents = pipeline.generate_latents(source, PoseInputs(batch["pose"]), noise, size=objective.size, **given)
        return (latents - target).square().mean().item()

    guidance = {"guidance_source": 2.0, "guidance_fusion": 2.0}
    assert error(teacher, steps=4, **guidance) == pytest.approx(0, abs=1e-6)
    student = error(tmp_path / "run" / "model")
    assert student < 0.6 * error(teacher, steps=1, **guidance)
    assert student < 0.6 * error(teacher, steps=1, guidance_source=1.0, guidance_fusion=1.0)


@pytest.mark.parametrize(("steps", "start"), [(1, "noise"), (3, "noise"), (1, "source"), (2, "source")])
def test_the_student_is_trained_as_it_is_used(
    teacher: Path, small_corpus: Path, tmp_path: Path, steps: int, start: str
) -> None:
    objective = objective_of(teacher, f"student_steps={steps}", f"start={start}").eval()
    batch = batch_of(small_corpus, objective, 2)
    noise = batch["noise"].view(-1, *objective.latent_shape)
    objective.save(tmp_path / "student")
    student = FPDMPipeline.from_pretrained(tmp_path / "student")
    sampling = {"steps": steps, "solver": "ddim", "guidance_source": 1.0, "guidance_fusion": 1.0, "fit": "crop"}
    assert student.config.sampling == sampling
    assert student.config.start == start
    source = student.encode_source(batch["source"])
    used = student.generate_latents(
        source, PoseInputs(batch["pose"]), noise, size=objective.size, **student.sampling_options()
    )
    assert torch.allclose(objective.drafts(batch, noise)[-1], used, atol=1e-5)


def test_gradients_reach_the_student_and_stay_away_from_the_teacher(teacher: Path, small_corpus: Path) -> None:
    objective = objective_of(teacher, "target=0.5", "images=1", "ssim=0.5")
    objective.freeze()
    objective.train()
    values = objective(batch_of(small_corpus, objective, 2))
    assert set(values) == {"loss", "imitation", "target", "l1", "ssim"}
    values["loss"].backward()
    assert all(parameter.grad is None for parameter in objective.teacher.parameters())
    assert objective.unet.pose_encoder.conv_out.weight.grad.abs().max() > 0
    assert objective.source_encoder.layernorm.weight.grad.abs().max() > 0


def test_a_teacher_keeps_its_own_start(teacher: Path, small_corpus: Path, tmp_path: Path) -> None:
    objective_of(teacher, "start=source").save(tmp_path / "student")
    again = objective_of(tmp_path / "student", "start=noise")
    batch = batch_of(small_corpus, again, 2)
    first, other = (
        again.targets(batch, torch.randn(2, *again.latent_shape, generator=torch.Generator().manual_seed(seed)))
        for seed in (0, 1)
    )
    assert torch.equal(first["imitation"][1], other["imitation"][1])  # of the source, not of the noise


TRANSPORT = (
    "start=transport",
    "student_steps=1",
    "imitation=0",
    "target=0.2",
    "images=1",
    "ssim=0.3",
    "generated=0.7",
)


def test_a_student_that_starts_from_transport_is_trained_as_it_is_used(
    tiny_from_transport: FPDMPipeline, small_corpus: Path, tmp_path: Path
) -> None:
    tiny_from_transport.save_pretrained(tmp_path / "teacher")
    objective = objective_of(tmp_path / "teacher", *TRANSPORT).eval()
    batch = batch_of(small_corpus, objective, 2)
    objective.save(tmp_path / "student")
    student = FPDMPipeline.from_pretrained(tmp_path / "student")
    assert student.config.start == "transport"
    own = PoseInputs(batch["source_pose"], keypoints=batch["source_keypoints"])
    poses = PoseInputs(batch["pose"], keypoints=batch["keypoints"])
    source, noise = student.encode_source(batch["source"], own), torch.zeros(2, *objective.latent_shape)
    with torch.no_grad():
        moved = objective.moved(batch)
        drafts = objective.drafts(batch, noise, moved)
    options = {"size": objective.size, **student.sampling_options()}
    used = student.generate_latents(source, poses, noise, moved=source.first.moved_to(batch["keypoints"]), **options)
    torch.testing.assert_close(drafts[-1], used, atol=1e-5, rtol=1e-4)
    assert student.generate(source, poses, noise, **options).shape == (2, 3, *objective.size)
    assert objective.sample(batch) is not None


def test_a_teacher_that_does_not_move_the_source_is_fitted_anew(
    train_tiny: TrainTiny, tiny_from_transport: FPDMPipeline, teacher: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="needs an autoencoder that keeps colours"):
        objective_of(teacher, *TRANSPORT)
    tiny_from_transport.vae.save_pretrained(tmp_path / "vae")
    options = (*TRANSPORT, f"teacher={teacher}", f"autoencoder={tmp_path / 'vae'}", "steps=12", "optimizer.warmup=0")
    numbers = train_tiny("distill", tmp_path / "run", *options, "optimizer.learning_rate=3e-3")
    assert set(numbers[1]) >= {"loss", "target", "generated", "used", "l1", "ssim"}
    assert numbers[12]["loss"] < numbers[1]["loss"]
    made = FPDMPipeline.from_pretrained(tmp_path / "run" / "model")
    assert made.composition is not None
    assert made.unet.config.residual


def test_transport_is_exact_under_autocast(
    tiny_from_transport: FPDMPipeline, small_corpus: Path, tmp_path: Path
) -> None:
    tiny_from_transport.save_pretrained(tmp_path / "teacher")
    objective = objective_of(tmp_path / "teacher", *TRANSPORT)
    batch = batch_of(small_corpus, objective, 2)
    plain = objective.moved(batch)
    with torch.autocast("cpu", torch.bfloat16):
        halved = objective.moved(batch)
    assert torch.equal(plain.image, halved.image)
    assert torch.equal(plain.transport.hidden, halved.transport.hidden)


def test_gradients_reach_denoiser_and_composition(
    tiny_from_transport: FPDMPipeline, small_corpus: Path, tmp_path: Path
) -> None:
    tiny_from_transport.save_pretrained(tmp_path / "teacher")
    objective = objective_of(tmp_path / "teacher", *TRANSPORT)
    objective.freeze()
    objective.train()
    objective(batch_of(small_corpus, objective, 2))["loss"].backward()
    assert set(objective.trainable()) == {"unet", "source_encoder", "composition"}
    assert objective.unet.unet.conv_in.weight.grad.abs().max() > 0
    assert objective.composition.enter.weight.grad.abs().max() > 0
    assert all(parameter.grad is None for parameter in objective.vae.parameters())


def test_patches_lie_about_their_centres_and_inside() -> None:
    images = torch.arange(2 * 100 * 90.0).view(2, 1, 100, 90)
    cut = patches(images, torch.tensor([[45.0, 50.0], [0.0, 200.0]]), 20)
    assert torch.equal(cut[0], images[0, :, 40:60, 35:55])
    assert torch.equal(cut[1], images[1, :, 80:, :20])


def test_without_imitation_the_teacher_is_not_kept(teacher: Path) -> None:
    objective = objective_of(teacher, "imitation=0", "target=1")
    assert not len(objective.teacher)
    shared = objective_of(teacher, "train_source_encoder=false")
    assert set(shared.trainable()) == set(shared.teacher) == {"unet"}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("student_steps=0", "student_steps is 0; it must be from 1 to 8"),
        ("start=frame", "start is 'frame'; choose one of noise, source"),
        ("teacher_steps=0", "teacher_steps is 0"),
        ("teacher_solver=ddpm", "teacher_solver is 'ddpm'; choose one of ddim, dpm\\+\\+, unipc"),
        ("imitation=0", "not all 0"),
        ("target=-1", "not negative"),
        ("start=transport", "imitation must be 0"),
        ("autoencoder=here", "autoencoder is for students that start from transport"),
    ],
)
def test_settings_are_checked(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_settings("distill", CONFIGS / "distill.yaml", [override])
