"""Pickles from strangers, read without running anything of theirs.

The field's key-point and label files are pickles, and unpickling runs whatever a file asks for. Here a file
may ask only for what data are made of: plain containers, numbers, numpy arrays of numbers and torch tensors.
Arrays are rebuilt by code of this module, which checks their shape and size against their bytes.
"""

import io
import math
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from signgen.errors import UserError


def load_pickle(content: bytes, path: str | Path) -> Any:
    """What the pickle `content` holds; arrays are numpy's, tensors torch's. `path` is named in errors.

    Raises UserError for a broken pickle, and for one that asks for anything but data.
    """
    try:
        return DataUnpickler(io.BytesIO(content)).load()
    except _Refused as error:
        raise UserError(f"{path}: refused: {error}") from error
    except Exception as error:  # a broken pickle can raise anything
        raise UserError(f"{path}: broken pickle ({type(error).__name__})") from error


class _Refused(Exception):
    """The pickle asks for something that is not data."""


# The unpickler in Python, not the one in C, whose memo takes gigabytes at the word of a nine-byte file.
class DataUnpickler(pickle._Unpickler):
    """Unpickles data alone: anything else that a pickle asks for is refused."""

    def find_class(self, module: str, name: str) -> Any:
        allowed = _ALLOWED.get((module, name))
        if allowed is None:
            raise _Refused(f"it asks for {module}.{name}; a file of data needs no such thing")
        return allowed

    def persistent_load(self, pid: Any) -> Any:
        raise _Refused("it refers to data outside the file")


class _DataType:
    """Stands for numpy.dtype: numbers only, so that no crafted state reaches numpy's own."""

    def __init__(self, code: str, align: bool = False, copy: bool = False):
        self.type = np.dtype(code)
        if self.type.kind not in "biufc":
            raise _Refused(f"it holds an array of {code}; only numbers are read")

    def __setstate__(self, state: tuple) -> None:
        byte_order = state[1]
        if byte_order in "<>":
            self.type = self.type.newbyteorder(byte_order)


class _Array(np.ndarray):
    """Stands for numpy.ndarray: it is filled from bytes only, after its shape was checked against them."""

    def __new__(cls, *_: Any) -> "_Array":
        return super().__new__(cls, (0,), np.uint8)

    def __setstate__(self, state: Any) -> None:
        _, shape, data_type, fortran, data = state
        values = _values(data, data_type, shape)
        filled: Any = (1, shape, values.dtype, bool(fortran), values.tobytes())
        super().__setstate__(filled)


def _values(data: Any, data_type: _DataType, shape: tuple[int, ...]) -> np.ndarray:
    """The bytes as a flat array, which has as many numbers as `shape` says."""
    values = np.frombuffer(data, data_type.type)
    if len(values) != math.prod(shape) or any(side < 0 for side in shape):
        raise ValueError("the array's bytes do not match its shape")
    return values


def _array_from_buffer(data: Any, data_type: _DataType, shape: tuple[int, ...], order: Any) -> np.ndarray:
    return _values(data, data_type, shape).reshape(shape, order=order).copy()


def _array_empty(*_: Any) -> _Array:
    return _Array()


def _scalar(data_type: _DataType, data: bytes) -> Any:
    return _values(data, data_type, (1,))[0]


def _bytes_from_text(text: str, encoding: str) -> bytes:
    """How protocols 0 to 2 write bytes."""
    if encoding != "latin1":
        raise _Refused(f"it encodes text as {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How protocols 0 to 2 write empty bytes; bytes(n) would take n bytes of memory."""
    return b""


def _byte_array(*content: bytes | str) -> bytearray:
    """Without bytearray(n), which takes n bytes of memory."""
    if content and isinstance(content[0], str):
        return bytearray(content[0].encode("latin1"))
    return bytearray(b"".join(content))  # type: ignore[arg-type]


def _storage(content: bytes) -> Any:
    import torch

    return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")


def _tensor(storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> Any:
    import torch

    if not isinstance(storage, torch.storage.TypedStorage):
        raise _Refused("it builds a tensor of something that is no storage")
    untyped = storage._untyped_storage
    last = offset + sum((side - 1) * step for side, step in zip(shape, stride, strict=True))
    if min(offset, *shape, *stride) < 0 or (math.prod(shape) and last >= untyped.nbytes() // storage.dtype.itemsize):
        raise ValueError("the tensor reaches beyond its storage")  # set_ would grow the storage
    return torch.empty(0, dtype=storage.dtype).set_(untyped, offset, shape, stride)


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _bytes_from_text,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DataType,
    **{
        (module, name): kind
        for module in ("builtins", "__builtin__")
        for name, kind in {
            "set": set, "frozenset": frozenset, "complex": complex,
            "bytes": _no_bytes, "bytearray": _byte_array,
        }.items()
    },
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")
        for module, name, function in (
            ("multiarray", "_reconstruct", _array_empty),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _array_from_buffer),
        )
    },
}  # fmt: skip
