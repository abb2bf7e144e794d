"""The training loop, for any objective."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from itertools import islice
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.utils.data import DataLoader

from signgen.data import PairDataset
from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder, atomic_path
from signgen.io.config import to_yaml
from signgen.io.model_card import write_card
from signgen.runtime.device import PRECISIONS
from signgen.runtime.flops import device_flops
from signgen.runtime.ranks import leave_group_at_exit
from signgen.training.batch_shares import share_batch
from signgen.training.checkpoint import check_parts, check_settings, checkpoints, load_checkpoint, save_checkpoint
from signgen.training.log import TrainingLog
from signgen.training.objective import Batch, Objective
from signgen.training.optimizer import learning_rate, make_optimizer
from signgen.training.run_card import run_card
from signgen.training.samples import training_set, validation_batches
from signgen.training.settings import TrainingSettings
from signgen.training.speed import Speed, sample_flops
from signgen.training.stopping import leave_signals_to_the_main_process, stop_requests

Report = Callable[[int, dict[str, float]], None]
ASK_EVERY = 10  # steps between questions to the other processes, each of which makes the devices wait


class Trainer:
    """One run: an objective, its data, its optimizer and its place in the sequence of samples.

    resume: go on from the last checkpoint, which must be of the same settings; changes: those that change no number
    may differ (`checkpoint.HARMLESS`).
    """

    def __init__(
        self, objective: Objective, settings: TrainingSettings, resume: bool = False, changes: bool = False
    ) -> None:
        self.settings, self.objective = settings, objective
        self.accelerator = Accelerator(
            mixed_precision="no" if settings.precision == "fp32" else settings.precision,
            cpu=not torch.cuda.is_available(),
        )
        if self.accelerator.num_processes > 1:
            leave_group_at_exit()
        self.shares = share_batch(settings, self.accelerator.num_processes, type(objective))
        self.checkpoint_folder = settings.folder / "checkpoints"
        if not resume and checkpoints(self.checkpoint_folder):
            raise UserError(f"{settings.folder} holds a run already: resume it with --resume, or choose another output")
        objective.freeze()
        self.parameters = objective.parameters_to_train()
        objective.to(self.accelerator.device)
        self.optimizer = make_optimizer(settings.optimizer, self.parameters, self.accelerator.device)
        self.ema = EMAModel(self.parameters, decay=settings.ema) if settings.ema else None
        self.data_digest = ""
        self.step = self.saved = 0
        if resume:
            self.load_state(load_checkpoint(self.checkpoint_folder), changes)
        self.model, self.optimizer = self.accelerator.prepare(objective, self.optimizer)
        self.pending: list[dict[str, Tensor]] = []  # what the steps since the last line of the log reported

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs: randomness follows from the settings and the step."""
        return {
            "step": self.step,
            "settings": asdict(self.settings),
            "data": self.data_digest,
            "weights": self.weights(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict() if self.ema else None,
        }

    def weights(self) -> dict[str, Tensor]:
        """What is trained, and what the objective itself notes."""
        trained = tuple(f"{name}." for name in self.objective.trainable())
        state = self.objective.state_dict()
        return {name: value for name, value in state.items() if name.startswith(trained) or "." not in name}

    def load_state(self, state: dict[str, Any], changes: bool) -> None:
        check_parts(state, self.state(), "")
        check_settings(state["settings"], asdict(self.settings), changes)
        check_parts(state["weights"], self.weights(), "weights.")
        moments = [number for number, parameter in enumerate(self.parameters) if parameter.requires_grad]
        check_parts(state["optimizer"]["state"], dict.fromkeys(moments), "optimizer.")
        check_parts(state["ema"] or {}, self.ema.state_dict() if self.ema else {}, "ema.")
        try:
            self.objective.load_state_dict(state["weights"], strict=False)
            self.optimizer.load_state_dict(state["optimizer"])
            if self.ema:
                self.ema.load_state_dict(state["ema"])
                self.ema.to(self.accelerator.device)
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"the checkpoint in {self.checkpoint_folder} does not fit this run: {error}") from error
        self.step = self.saved = state["step"]
        self.data_digest = state["data"]

    def dataset(self) -> PairDataset:
        """All samples of the run, whichever of them it has seen. UserError where a resumed run's data are others."""
        dataset = training_set(self.objective, self.settings)
        self.objective.use_skeleton(dataset.poses.skeleton)
        digest = dataset.digest()
        if self.data_digest not in ("", digest):
            raise UserError(
                f"the clips, poses or pairs of data.roots are not those that {self.settings.folder} was trained on: "
                "choose another output"
            )
        self.data_digest = digest
        return dataset

    def loader(self, dataset: PairDataset) -> DataLoader:
        """The samples that are still to come, in their order: this process's parts of each step."""
        workers = self.settings.data.workers
        loader = DataLoader(
            dataset,
            sampler=range(self.step * self.settings.batch_size, len(dataset)),
            batch_size=self.shares.device_batch,
            num_workers=workers,
            worker_init_fn=leave_signals_to_the_main_process,
            pin_memory=self.accelerator.device.type == "cuda",
            drop_last=True,
            prefetch_factor=4 if workers else None,
        )
        return self.accelerator.prepare(loader)

    def train_step(self, parts: list[Batch]) -> None:
        """A step of the optimizer, from this process's parts of the step's batch; what they report is pending."""
        reported: list[dict[str, Tensor]] = []
        for number, batch in enumerate(parts, start=self.step * len(parts)):
            # Dropout's randomness too is a function of the place in the run.
            torch.manual_seed(self.settings.seed + 1_000_003 * number + self.accelerator.process_index)
            last = len(reported) == len(parts) - 1
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                values = self.model(batch)
                self.accelerator.backward(values["loss"] / len(parts))
            reported.append(values)
        values = self.means(reported)
        settings = self.settings.optimizer
        values["gradient"] = self.accelerator.clip_grad_norm_(self.parameters, settings.clip or math.inf)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings, self.step, self.settings.steps)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        if self.ema:
            self.ema.step(self.parameters)
        self.objective.observe(values)
        self.pending.append(values)

    def means(self, reported: list[dict[str, Tensor]]) -> dict[str, Tensor]:
        """Means of what the parts of a step reported, over all processes; nothing waits for the device."""
        names = list(reported[0])
        parts = torch.stack([torch.stack([values[name].detach().float() for name in names]) for values in reported])
        return dict(zip(names, self.accelerator.reduce(parts.mean(0), "mean"), strict=True))

    def check_finite(self) -> None:
        """Raise UserError if a loss or gradient since the last line of the log is no finite number."""
        if not self.pending:
            return
        finite = torch.stack([values["loss"] + values["gradient"] for values in self.pending]).isfinite().tolist()
        if not all(finite):
            step = self.step - len(finite) + 1 + finite.index(False)
            raise UserError(f"the loss or its gradient is not finite at step {step}: lower optimizer.learning_rate")

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
            batches = [
                {name: tensor.to(self.accelerator.device) for name, tensor in batch.items()} for batch in batches
            ]
            values = [self.objective(batch) for batch in batches]
            log.scalars(
                self.step,
                {f"validation/{name}": _mean([value[name] for value in values]) for name in values[0]},
            )
            image = self.objective.sample({name: tensor[:6] for name, tensor in batches[0].items()})
        if image is not None:
            log.image(self.step, image)

    def open_log(self) -> TrainingLog:
        """The run's log, its settings written beside it."""
        self.settings.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(self.settings.folder / "config.yaml") as temporary:
            temporary.write_text(to_yaml(self.settings))
        return TrainingLog(self.settings.folder, self.step)

    def save(self) -> None:
        """Write the model as it stands, then checkpoint the run: one that was killed between both goes on and writes
        the model anew."""
        self.check_finite()
        if self.accelerator.is_main_process:
            with self.averaged(), atomic_folder(self.settings.folder / "model") as temporary:
                self.objective.save(temporary)
                write_card(temporary, run_card(self.settings, self.step, temporary))
            save_checkpoint(self.checkpoint_folder, self.step, self.state())
        self.saved = self.step

    def start_speed(self, batch: Batch) -> Speed:
        """What takes the speed of training from here on."""
        with self.accelerator.autocast():
            flops = sample_flops(self.objective, batch)
        limit = device_flops(self.accelerator.device, PRECISIONS[self.settings.precision])
        return Speed(flops, limit * self.accelerator.num_processes)

    def logged(self, speed: Speed) -> dict[str, float]:
        """The numbers of the steps since the last line of the log, which are pending no more."""
        self.check_finite()
        names = self.pending[-1]
        values = {name: torch.stack([step[name] for step in self.pending]).mean().item() for name in names}
        values |= speed.measure(len(self.pending) * self.settings.batch_size)
        values["learning_rate"] = learning_rate(self.settings.optimizer, self.step - 1, self.settings.steps)
        self.pending.clear()
        return values

    def agree_to_stop(self, wanted: bool) -> bool:
        """Whether to stop: where any process wants to, all do, at the same step."""
        if self.accelerator.num_processes == 1:
            return wanted
        if self.step % ASK_EVERY:
            return False
        return bool(self.accelerator.reduce(torch.tensor(float(wanted), device=self.accelerator.device)) > 0)

    def run(self, report: Report) -> None:
        """Train to the last step, the time limit or a signal; what was reached is checkpointed in every case."""
        settings, main = self.settings, self.accelerator.is_main_process
        validation = validation_batches(self.objective, settings, self.shares.device_batch) if main else []
        batches = iter(self.loader(self.dataset()))
        log = self.open_log() if main else None  # a corpus that cannot be read leaves no folder
        self.objective.train()
        speed: Speed | None = None
        deadline = time.monotonic() + 60 * (settings.minutes or math.inf)
        with stop_requests() as stop:
            while self.step < settings.steps:
                parts = list(islice(batches, self.shares.accumulation))
                if speed is None:
                    speed = self.start_speed(parts[0])
                    if settings.compile:
                        self.objective.compile(dynamic=False)
                self.train_step(parts)
                if self.step % settings.log_every == 0 or self.step == 1:
                    values = self.logged(speed)
                    if log:
                        log.scalars(self.step, values)
                        report(self.step, values)
                with speed.paused():
                    if log and validation and self.step % settings.validate_every == 0:
                        self.validate(validation, log)
                    if self.step % settings.checkpoint_every == 0:
                        self.save()
                if self.agree_to_stop(bool(stop) or time.monotonic() > deadline):
                    break
        if self.saved != self.step:
            self.save()
        if log:
            log.close()
        self.accelerator.wait_for_everyone()  # the model is there for all of them
        if stop:
            raise KeyboardInterrupt


def _mean(values: list[Tensor]) -> float:
    return torch.stack([value.float() for value in values]).mean().item()
