"""What every system is to rendering: a source image and poses -> images of that signer in these poses."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from torch import Tensor

from signgen.errors import UserError
from signgen.io.model_folder import forget_places
from signgen.io.model_location import model_folder
from signgen.models.pixels import to_frames
from signgen.models.pose_inputs import PoseInputs
from signgen.runtime.pinned_copies import to_device
from signgen.systems.components import forget_modules, load_components

if TYPE_CHECKING:
    from typing_extensions import Self  # in typing from Python 3.11 on


class SignerPipeline(DiffusionPipeline, ABC):
    """A pipeline in diffusers' layout that renders a signer in poses.

    Its configuration holds `image_size` (height, width), `sampling`, the model's own defaults, and `skeleton`, whose
    pose maps it was trained on (`signgen.poses.drawing`).
    """

    denoisers: ClassVar[tuple[str, ...]]
    """The parts that run at every step."""

    one_by_one = False
    compiled = False

    @classmethod
    def from_pretrained(
        cls, path_or_name: str | Path, dtype: torch.dtype | None = None, *, torch_dtype: torch.dtype | None = None
    ) -> "Self":
        """Load a model folder, a hub id or an embedded model by name ("mini").

        dtype, or by diffusers' older name torch_dtype: of its networks; float32 where neither is given. Strict: a
        missing, unexpected or misshapen tensor is a UserError that names it.
        """
        return cls(**load_components(cls, model_folder(path_or_name), dtype or torch_dtype or torch.float32))

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> None:
        """As diffusers' own; the folder says neither where parts were loaded from nor in which modules they are."""
        super().save_pretrained(save_directory, **options)
        forget_places(Path(save_directory))
        forget_modules(Path(save_directory))

    @classmethod
    def needs_source_pose(cls, settings: Mapping[str, Any]) -> bool:
        """Whether a model with these settings (its configuration, or `model_index.json`) needs the sources' poses."""
        return False

    @classmethod
    def without_weights(cls, path_or_name: str | Path) -> "Self":
        """The same on the meta device: sizes without numbers, to count with."""
        return cls(**load_components(cls, model_folder(path_or_name), torch.float32, weights=False))

    def save_memory(self, on: bool = True) -> None:
        """Run the branches of guidance one after the other, and decode images one by one. It is slower and gives the
        same images."""
        self.one_by_one = on
        if on:
            self.vae.enable_slicing()
        else:
            self.vae.disable_slicing()

    def compile(self, backend: str | Callable[..., Any] = "inductor") -> None:
        """Compile the denoisers and the decoder, at their first call: minutes, for the same images beyond rounding.

        They are compiled for each shape they are given; `render` gives a compiled pipeline one alone.
        """
        for part in (*(getattr(self, name) for name in self.denoisers), self.vae.decoder):
            if part is not None:
                part.compile(dynamic=False, backend=backend)
        self.compiled = True

    @abstractmethod
    def encode_source(
        self, frames: np.ndarray | Tensor, poses: PoseInputs | None = None, canvas: np.ndarray | None = None
    ) -> Any:
        """What `generate` needs of source frames (B, H, W, 3) uint8 in their own poses, once per video.

        canvas: the same frames at another size (B, h, w, 3), for systems that copy pixels of it; these make their
        images at that size.
        """

    @abstractmethod
    def noise_shape(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Shape of the initial noise of an image of `size` (height, width)."""

    @abstractmethod
    def sampling_options(self, **given: Any) -> dict[str, Any]:
        """Keyword arguments of `generate`: what is given and not None, else the model's own defaults."""

    generate: Callable[..., Tensor]
    """generate(source, poses, noise, *, size, generators, **sampling_options) -> images (B, 3, *size) in about [-1, 1].

    source: what `encode_source` gave. poses: PoseInputs of B poses. noise: (B, *noise_shape). generators: of stochastic
    solvers' noise, one a row.
    """

    def noised_source(self, frame: np.ndarray, noise: Tensor, sampling: dict[str, Any]) -> Tensor:
        """Initial noise with the part of the source's latents that the noise schedule leaves at the first step.

        frame: uint8 (H, W, 3) of the model's size. noise: (1, *noise_shape). sampling: what `sampling_options` gave.
        """
        raise UserError(f"{type(self).__name__} has no noise prior: leave it out")

    def _on_device(self, frames: np.ndarray | Tensor) -> Tensor:
        return to_device(frames, self.device)


def image_array(image: Image.Image) -> np.ndarray:
    """uint8 (H, W, 3)."""
    return np.array(image.convert("RGB"))


def output_images(images: Tensor, output_type: str) -> Any:
    """Images (B, 3, H, W) in about [-1, 1] as a pipeline gives them out: "np", "uint8" or "pil"."""
    if output_type == "np":
        return ((images + 1) / 2).clamp(0, 1).movedim(1, -1).cpu().numpy()
    frames = to_frames(images).cpu().numpy()
    return [Image.fromarray(frame) for frame in frames] if output_type == "pil" else frames
