"""The log of a run: one JSON object a line, the same scalars and images for TensorBoard."""

import json
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from signgen.io.atomic_files import atomic_path
from signgen.io.json_lines import read_json_lines
from signgen.video.image_arrays import write_png


class TrainingLog:
    """Appends to `log.jsonl` in a run's folder, after removing what lies after `step` (lost by a stop) and a line that
    a kill has cut short."""

    def __init__(self, folder: Path, step: int) -> None:
        self.folder = folder
        self.path = folder / "log.jsonl"
        if self.path.exists():
            kept = [line for line in read_json_lines(self.path) if step and line.get("step", 0) <= step]
            with atomic_path(self.path) as temporary:
                temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def scalars(self, step: int, values: dict[str, float]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")
        for name, value in values.items():
            self.board.add_scalar(name, value, step)

    def image(self, step: int, image: np.ndarray) -> None:
        """image: uint8 (H, W, 3)."""
        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        with atomic_path(folder / f"step-{step:08d}.png") as temporary:
            write_png(temporary, image)
        self.board.add_image("samples", image, step, dataformats="HWC")

    def close(self) -> None:
        self.board.close()
