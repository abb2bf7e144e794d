"""PyTorch checkpoints from strangers: their tensors are read, none of their code is run.

A training checkpoint is a zip archive with a pickle that refers to raw storages. The pickles of the published systems
also hold settings objects of other packages; here such an object becomes an inert stand-in that remembers nothing.
"""

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.io.safe_pickle import DataUnpickler

STORAGES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that is still in its archive: a training checkpoint is mostly optimizer state that nobody reads."""

    archive: zipfile.ZipFile
    entry: str
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self) -> Tensor:
        """The tensor, on the CPU. Raises UserError where the archive does not hold what it promises."""
        try:
            content = bytearray(self.archive.read(self.entry))
        except (KeyError, OSError, zipfile.BadZipFile) as error:
            raise UserError(f"{self.archive.filename}: {self.entry} cannot be read: {error}") from error
        if not math.prod(self.shape):
            return torch.empty(self.shape, dtype=self.dtype)
        last = self.offset + sum((side - 1) * step for side, step in zip(self.shape, self.stride, strict=True))
        size = len(content) // self.dtype.itemsize
        if min(self.offset, *self.shape, *self.stride, 0) < 0 or last >= size:
            raise UserError(f"{self.archive.filename}: a tensor reaches beyond its storage {self.entry}")
        storage = torch.frombuffer(content, dtype=self.dtype, count=size)
        return storage.as_strided(self.shape, self.stride, self.offset).clone()


class _Inert:
    """Stands for an object of another package: takes whatever it is given and does nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "_Inert":
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, _: Any) -> None:
        pass

    def __setitem__(self, _: Any, __: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        """Take an item of what the object would have been a list of."""

    def extend(self, _: Any) -> None:
        """Take items of what the object would have been a list of."""

    def add(self, _: Any) -> None:
        """Take an item of what the object would have been a set of."""


class _CheckpointUnpickler(DataUnpickler):
    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(archive.open(f"{root}/data.pkl"))
        self.archive, self.root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _stored_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, *_: data
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        return _Inert

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, _, _ = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype):
            raise ValueError("unknown storage")
        return self.archive, f"{self.root}/data/{key}", dtype


def _stored_tensor(storage: tuple, offset: int, shape: Any, stride: Any, *_: Any) -> StoredTensor:
    archive, entry, dtype = storage
    return StoredTensor(archive, entry, dtype, offset, tuple(shape), tuple(stride))


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint file holds, tensors as StoredTensor. Raises UserError for a file that is none."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        archive = zipfile.ZipFile(path)
        pickles = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        content = _CheckpointUnpickler(archive, pickles[0].split("/")[0]).load()
    except Exception as error:  # a broken archive or pickle can raise anything
        raise UserError(f"{path} is not a PyTorch checkpoint that can be read ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no dictionary: it is not a training checkpoint")
    return content
