"""Reads PyTorch checkpoints from strangers. Only tensors are read; no code is run.

A training checkpoint is a zip archive with a pickle that refers to raw storages. The pickles of the published systems
also hold settings objects of other packages; here such an object becomes an inert stand-in that remembers nothing.
"""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from signgen.errors import UserError
from signgen.io.limits import Budget, check_plain, read_member
from signgen.io.pickled_data import KEYS, Stateful
from signgen.io.safe_pickle import DataUnpickler
from signgen.io.torch_storage import STORAGES, strided_tensor

MAX_BYTES = 16 << 30  # of one tensor


@dataclass(frozen=True, eq=False)
class Archive:
    """The zip archive of a checkpoint. budget: what its tensors may take of memory, all of them."""

    path: Path
    zip: zipfile.ZipFile
    budget: Budget

    def read(self, entry: str) -> bytes:
        """The bytes stored as `entry`. UserError where there are none, or fewer than it promises."""
        try:
            info = self.zip.getinfo(entry)
            if info.compress_type != zipfile.ZIP_STORED:
                raise UserError("it is compressed, which torch's are not")
            self.budget.take(info.file_size)
            return read_member(self.zip, info, MAX_BYTES)
        except (KeyError, UserError) as error:
            raise UserError(f"{self.path}: {entry} cannot be read: {error}") from error


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that has not been read yet. Most of a training checkpoint is optimizer state, which nobody needs."""

    archive: Archive
    entry: str
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self) -> Tensor:
        """The tensor, on the CPU. Raises UserError where the archive does not hold what it promises."""
        try:
            return strided_tensor(self.archive.read(self.entry), self.dtype, self.offset, self.shape, self.stride)
        except (ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"{self.archive.path}: {self.entry}: {error}") from error


class _Inert(Stateful):
    """Replaces an object of another package. It accepts any arguments and does nothing."""

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
    keys = (*KEYS, _Inert)

    def __init__(self, archive: Archive, root: str) -> None:
        content = archive.read(f"{root}/data.pkl")
        super().__init__(io.BytesIO(content), len(content))
        self.archive, self.root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _stored_tensor
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda data, *_: data
        if (module, name) == ("collections", "OrderedDict"):
            return super().find_class(module, name)
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
    try:
        size = check_plain(path)
        archive = Archive(path, zipfile.ZipFile(path), Budget(size))
        pickles = [name for name in archive.zip.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
        content = _CheckpointUnpickler(archive, pickles[0].split("/")[0]).load()
    except (UserError, MemoryError):
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except Exception as error:  # a broken archive or pickle can raise anything
        raise UserError(f"{path} is not a PyTorch checkpoint that can be read ({type(error).__name__})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no dictionary: it is not a training checkpoint")
    return content
