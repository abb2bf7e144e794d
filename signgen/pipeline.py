"""What every system is to rendering: a source picture and poses -> pictures of that signer in these poses."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from signgen.errors import UserError
from signgen.models.folder import load_components
from signgen.models.location import model_folder
from signgen.models.pose_inputs import PoseInputs


class SignerPipeline(DiffusionPipeline, ABC):
    """A pipeline in diffusers' layout that renders a signer in poses.

    Its configuration holds `picture_size` (height, width) and `sampling`, the model's own defaults.
    """

    needs_source_pose: ClassVar[bool] = False
    """Whether `encode_source` needs the poses of the source pictures."""

    @classmethod
    def from_pretrained(cls, path_or_name: str | Path, dtype: torch.dtype = torch.float32) -> Self:
        """Load a model folder, a hub id or an embedded model by name ("mini").

        Strict: a missing, unexpected or misshapen tensor is a UserError that names it.
        """
        return cls(**load_components(cls, model_folder(path_or_name), dtype))

    @classmethod
    def without_weights(cls, path_or_name: str | Path) -> Self:
        """The same on the meta device: sizes without numbers, to count with."""
        return cls(**load_components(cls, model_folder(path_or_name), torch.float32, weights=False))

    @abstractmethod
    def encode_source(self, frames: np.ndarray | Tensor, poses: PoseInputs | None = None) -> Any:
        """What `generate` needs of source frames (B, H, W, 3) uint8 in their own poses, once per video."""

    @abstractmethod
    def noise_shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Shape of the initial noise of a picture of `size` (height, width)."""

    @abstractmethod
    def sampling_options(self, **given: Any) -> dict[str, Any]:
        """Keyword arguments of `generate`: what is given and not None, else the model's own defaults."""

    generate: Callable[..., Tensor]
    """generate(source, poses, noise, *, size, generators, **sampling_options) -> images (B, 3, *size) in about [-1, 1].

    source: what `encode_source` gave. poses: PoseInputs of B poses. noise: (B, *noise_shape). generators: of stochastic
    solvers' noise, one a row.
    """

    def noised_source(self, frame: np.ndarray, noise: Tensor, sampling: dict[str, Any]) -> Tensor:
        """Initial noise that holds what the schedule leaves of the source's latents, where a system can do so.

        frame: uint8 (H, W, 3) of the model's size. noise: (1, *noise_shape). sampling: what `sampling_options` gave.
        """
        raise UserError(f"{type(self).__name__} has no noise prior: leave it out")

    def _on_device(self, frames: np.ndarray | Tensor) -> Tensor:
        # Copied: decoded frames may be read-only, which torch warns of.
        return (torch.tensor(frames) if isinstance(frames, np.ndarray) else frames).to(self.device)
