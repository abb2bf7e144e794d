"""The training loop, for any objective."""

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from signgen.data import PairDataset, open_corpus
from signgen.data.pair_lists import read_pair_list
from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder, atomic_path
from signgen.io.config import to_yaml
from signgen.io.model_card import trained_card, write_card
from signgen.runtime.device import PRECISIONS
from signgen.runtime.flops import device_flops
from signgen.training.checkpoint import checkpoints, load_checkpoint, save_checkpoint
from signgen.training.log import TrainingLog
from signgen.training.objective import Batch, Objective
from signgen.training.settings import OptimizerSettings, TrainingSettings

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
Report = Callable[[int, dict[str, float]], None]
# Settings of the several trainings that name what a model began with or is made with.
ORIGINS = (
    "fine_tune teacher autoencoder fusion image_encoder prior inpaint "
    "pretrained_unet pretrained_source_encoder pretrained_encoder pretrained_prior"
).split()


def learning_rate(settings: OptimizerSettings, step: int, steps: int) -> float:
    """Learning rate of a step (from 0): a pure function, so that a resumed run needs no schedule's state."""
    rate = settings.learning_rate * min(1.0, (step + 1) / max(settings.warmup, 1))
    if settings.decay == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * step / steps))
    elif settings.decay == "linear" and step >= settings.decay_after:
        rate *= (steps - step) / (steps - settings.decay_after)
    elif settings.decay == "step" and step >= settings.decay_after:
        rate *= 0.1
    return rate


def make_optimizer(
    settings: OptimizerSettings, parameters: list[nn.Parameter], device: torch.device
) -> torch.optim.Optimizer:
    """AdamW, fused on CUDA, or with moments of 8 bits. Raises UserError where these are not to be had."""
    options: dict[str, Any] = {"weight_decay": settings.weight_decay, "betas": (settings.betas[0], settings.betas[1])}
    if not settings.eight_bit:
        return torch.optim.AdamW(parameters, fused=device.type == "cuda", **options)
    if device.type != "cuda":
        raise UserError("optimizer.eight_bit needs a CUDA device: leave it out here")
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise UserError("optimizer.eight_bit needs bitsandbytes: pip install bitsandbytes") from error
    return AdamW8bit(parameters, **options)


class Trainer:
    """One run: an objective, its data, its optimizer and its place in the sequence of samples."""

    def __init__(self, objective: Objective, settings: TrainingSettings, resume: bool = False) -> None:
        self.settings, self.objective = settings, objective
        self.accelerator = Accelerator(
            mixed_precision="no" if settings.precision == "fp32" else settings.precision,
            gradient_accumulation_steps=settings.accumulation,
            cpu=not torch.cuda.is_available(),
        )
        self.step = 0
        self.checkpoint_folder = settings.folder / "checkpoints"
        if not resume and checkpoints(self.checkpoint_folder):
            raise UserError(f"{settings.folder} holds a run already: resume it with --resume, or choose another output")
        objective.freeze()
        self.parameters = objective.parameters_to_train()
        objective.to(self.accelerator.device)
        self.optimizer = make_optimizer(settings.optimizer, self.parameters, self.accelerator.device)
        self.ema = EMAModel(self.parameters, decay=settings.ema) if settings.ema else None
        if resume:
            self.load_state(load_checkpoint(self.checkpoint_folder))
        self.model, self.optimizer = self.accelerator.prepare(objective, self.optimizer)

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs beside its settings: randomness follows from the step."""
        trained = tuple(f"{name}." for name in self.objective.trainable())
        weights = {
            name: value
            for name, value in self.objective.state_dict().items()
            if name.startswith(trained) or "." not in name
        }
        return {
            "weights": weights,
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        _, unexpected = self.objective.load_state_dict(state["weights"], strict=False)
        if unexpected or (self.ema is None) != (state["ema"] is None):
            raise UserError(f"the checkpoint in {self.checkpoint_folder} is of another configuration")
        self.optimizer.load_state_dict(state["optimizer"])
        if self.ema:
            self.ema.load_state_dict(state["ema"])
            self.ema.to(self.accelerator.device)
        self.step = state["step"]

    def loader(self) -> DataLoader:
        """The samples that are still to come, in their order."""
        settings, data = self.settings, self.settings.data
        per_step = settings.batch_size * settings.accumulation * self.accelerator.num_processes
        corpus = open_corpus(data.roots, data.split)
        dataset = PairDataset(
            corpus,
            size=self.objective.size,
            length=settings.steps * per_step,
            seed=settings.seed,
            augmentation=data.augmentation,
            noise_shape=(self.objective.noise_count,),
            preload=data.preload,
            triples=read_pair_list(Path(data.pairs), corpus) if data.pairs else None,
            source_pose=self.objective.source_pose,
            coarse=self.objective.coarse,
        )
        loader = DataLoader(
            dataset,
            sampler=range(self.step * per_step, len(dataset)),
            batch_size=settings.batch_size,
            num_workers=data.workers,
            worker_init_fn=_leave_signals_to_the_main_process,
            pin_memory=self.accelerator.device.type == "cuda",
            drop_last=True,
            prefetch_factor=4 if data.workers else None,
        )
        return self.accelerator.prepare(loader)

    def validation_batches(self) -> list[Batch]:
        """A fixed set of pairs of the dev split, the same at every validation of every run."""
        if not self.settings.validation:
            return []
        count, size = 4, min(self.settings.batch_size, 64)
        dataset = PairDataset(
            open_corpus(self.settings.validation, "dev"),
            size=self.objective.size,
            length=count * size,
            seed=0,
            noise_shape=(self.objective.noise_count,),
            source_pose=self.objective.source_pose,
        )
        return [_to_device(batch, self.accelerator.device) for batch in DataLoader(dataset, batch_size=size)]

    def train_batch(self, batch: Batch, number: int) -> dict[str, Tensor]:
        """Forward and backward of batch `number`, and a step of the optimizer where gradients are complete."""
        # Dropout's randomness too is a function of the place in the run.
        torch.manual_seed(self.settings.seed + 1_000_003 * number + self.accelerator.process_index)
        with self.accelerator.accumulate(self.model):
            values = self.model(batch)
            self.accelerator.backward(values["loss"])
            if self.accelerator.sync_gradients:
                if self.settings.optimizer.clip:
                    values["gradient"] = self.accelerator.clip_grad_norm_(self.parameters, self.settings.optimizer.clip)
                for group in self.optimizer.param_groups:
                    group["lr"] = learning_rate(self.settings.optimizer, self.step, self.settings.steps)
            self.optimizer.step()
            self.optimizer.zero_grad()
            if self.accelerator.sync_gradients:
                self.step += 1
                if self.ema:
                    self.ema.step(self.parameters)
        return {name: value.detach() for name, value in values.items()}

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The objective in eval mode, with the averaged weights where there are any."""
        self.objective.eval()
        if self.ema:
            self.ema.store(self.parameters)
            self.ema.copy_to(self.parameters)
        try:
            yield
        finally:
            if self.ema:
                self.ema.restore(self.parameters)
            self.objective.train()

    @torch.no_grad()
    def validate(self, batches: list[Batch], log: TrainingLog) -> None:
        with self.averaged(), self.accelerator.autocast():
            values = [self.objective(batch) for batch in batches]
            log.scalars(
                self.step,
                {f"validation/{name}": _mean([value[name] for value in values]) for name in values[0]},
            )
            picture = self.objective.sample({name: tensor[:6] for name, tensor in batches[0].items()})
        if picture is not None:
            log.picture(self.step, picture)

    def open_log(self) -> TrainingLog:
        """The run's log, its settings written beside it."""
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.settings.folder / "config.yaml") as temporary:
            temporary.write_text(to_yaml(self.settings))
        return TrainingLog(self.settings.folder, self.step)

    def mean_values(self, batches: list[dict[str, Tensor]]) -> dict[str, float]:
        """Means of what batches reported, over all processes."""
        means = [_mean([values[name] for values in batches if name in values]) for name in batches[-1]]
        reduced = self.accelerator.reduce(torch.tensor(means, device=self.accelerator.device), "mean")
        return dict(zip(batches[-1], reduced.tolist(), strict=True))

    def save(self) -> None:
        """Checkpoint the run, and write the model as it stands."""
        save_checkpoint(self.checkpoint_folder, self.step, self.state())
        with self.averaged(), atomic_folder(self.settings.folder / "model") as temporary:
            self.objective.save(temporary)
            write_card(temporary, self.card(temporary))

    def card(self, folder: Path) -> str:
        """The card of the model that was saved as `folder`."""
        settings, data = self.settings, self.settings.data
        batch = settings.batch_size * settings.accumulation * self.accelerator.num_processes
        training = (
            f"Trained for {self.step:,} of {settings.steps:,} steps of {batch} pairs, at a learning rate of "
            f"{settings.optimizer.learning_rate:g} ({settings.optimizer.decay}), in {settings.precision}, with seed "
            f"{settings.seed}."
        )
        starts = {name.replace("_", " "): getattr(settings, name, "") for name in ORIGINS}
        return trained_card(
            folder,
            name=settings.folder.resolve().name,
            training=training,
            corpora=[f"{root} ({data.split})" for root in data.roots],
            starts={what: where for what, where in starts.items() if where not in ("", "???")},
        )

    def speed(self, batch: Batch) -> "Speed":
        """What takes the speed of training from here on."""
        with self.accelerator.autocast():
            flops = step_flops(self.objective, batch)
        limit = device_flops(self.accelerator.device, PRECISIONS[self.settings.precision])
        return Speed(flops, limit * self.accelerator.num_processes)

    def run(self, report: Report) -> None:
        """Train to the last step, the time limit or a signal; what was reached is checkpointed in every case."""
        settings, accelerator = self.settings, self.accelerator
        validation = self.validation_batches() if accelerator.is_main_process else []
        loader = self.loader()
        log = self.open_log() if accelerator.is_main_process else None  # a corpus that cannot be read leaves no folder
        self.objective.train()
        speed: Speed | None = None
        started, saved, pending = time.monotonic(), self.step, []
        with _stop_requests() as stop:
            for number, batch in enumerate(loader, start=self.step * settings.accumulation):
                if speed is None:
                    speed = self.speed(batch)
                    if settings.compile:
                        self.objective.compile(dynamic=False)
                pending.append(self.train_batch(batch, number))
                if not accelerator.sync_gradients:
                    continue
                if self.step % settings.log_every == 0 or self.step == 1:
                    values = self.mean_values(pending)
                    values |= speed.measure(len(pending) * settings.batch_size * accelerator.num_processes)
                    values["learning_rate"] = learning_rate(settings.optimizer, self.step - 1, settings.steps)
                    pending.clear()
                    if not math.isfinite(values["loss"]):
                        raise UserError(f"the loss is not finite at step {self.step}: lower the learning rate")
                    if log:
                        log.scalars(self.step, values)
                        report(self.step, values)
                if log and validation and self.step % settings.validate_every == 0:
                    with speed.paused():
                        self.validate(validation, log)
                over = settings.minutes and time.monotonic() - started > 60 * settings.minutes
                if stop or over:
                    accelerator.set_trigger()
                stopping = accelerator.check_trigger()
                if stopping or self.step % settings.checkpoint_every == 0 or self.step == settings.steps:
                    if accelerator.is_main_process:
                        with speed.paused():
                            self.save()
                    saved = self.step
                if stopping:
                    break
        if accelerator.is_main_process and saved != self.step:
            self.save()
        if log:
            log.close()
        if stop:
            raise KeyboardInterrupt


def step_flops(objective: Objective, batch: Batch) -> float:
    """Floating-point operations of forward and backward pass for one sample, counted on one sample of the batch."""
    single = {name: values[:1] for name, values in batch.items()}
    with FlopCounterMode(display=False) as counter:
        objective(single)["loss"].backward()
    objective.zero_grad(set_to_none=True)
    return float(counter.get_total_flops())


class Speed:
    """Samples a second since the last measurement, and what share of the device's arithmetic they use.

    flops: operations a sample takes; limit: operations a second that the devices are capable of.
    """

    def __init__(self, flops: float, limit: float) -> None:
        self.flops, self.limit = flops, limit
        self.since = time.perf_counter()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done in here is no training, and its time does not count."""
        start = time.perf_counter()
        yield
        self.since += time.perf_counter() - start

    def measure(self, samples: int) -> dict[str, float]:
        now = time.perf_counter()
        rate = samples / (now - self.since)
        self.since = now
        return {"samples_per_second": rate, "flop_utilisation": rate * self.flops / self.limit}


def _mean(values: list[Tensor]) -> float:
    return torch.stack([value.float() for value in values]).mean().item()


def _to_device(batch: Batch, device: torch.device) -> Batch:
    return {name: tensor.to(device) for name, tensor in batch.items()}


def _leave_signals_to_the_main_process(worker: int) -> None:
    """Ctrl-C and a job's end reach the whole process group: workers go on until the main process has checkpointed."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _stop_requests() -> Iterator[list[int]]:
    """A list that holds the signal once Ctrl-C or a termination is asked for; a second one is not caught."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in STOP_SIGNALS}

    def note(number: int, frame: object) -> None:
        received.append(number)
        signal.signal(number, before[signal.Signals(number)])

    try:
        for number in STOP_SIGNALS:
            signal.signal(number, note)
        yield received
    finally:
        for number in STOP_SIGNALS:
            signal.signal(number, before[signal.Signals(number)])
