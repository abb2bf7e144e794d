"""The functions and classes that a pickle of data may ask for. None of them runs code of the pickle. They replace those
of Python, numpy and torch, which would allocate as much memory as the pickle says, or accept any state.
"""

import math
import re
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from signgen.errors import UserError

NUMBER_TYPE = re.compile("[biufc][0-9]{1,2}")
LARGEST_KEY = 1 << 60  # greater ones can be made to collide in dicts, which then take hours
KEYS: tuple[type, ...] = (str, bytes, int, float, type(None))


def checked_keys(keys: Iterable[Any], kinds: tuple[type, ...] = KEYS) -> list[Any]:
    """Keys of a dict or members of a set as a list. They are hashed: deep ones overflow the stack, great ones collide.

    UserError for any that are not names or numbers.
    """
    checked = list(keys)
    for key in checked:
        if not isinstance(key, kinds) or (isinstance(key, int) and abs(key) > LARGEST_KEY):
            raise UserError(f"it has a {type(key).__name__} for a key; only names and numbers are")
    return checked


class Stateful:
    """What a pickle may set the state of."""

    def __setstate__(self, state: Any) -> None:
        raise NotImplementedError


class _DataType(Stateful):
    """Stands for numpy.dtype: numbers only, so that no crafted state reaches numpy's own."""

    def __init__(self, code: str, align: bool = False, copy: bool = False):
        if not NUMBER_TYPE.fullmatch(code):
            raise UserError(f"it holds an array of {code[:20]}; only numbers are read")
        self.type = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        byte_order = state[1]
        if byte_order in "<>":
            self.type = self.type.newbyteorder(byte_order)


class _Array(np.ndarray, Stateful):
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
        raise UserError(f"it encodes text as {encoding}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How protocols 0 to 2 write empty bytes; bytes(n) would take n bytes of memory."""
    return b""


def _byte_array(content: bytes | str = b"", encoding: str = "latin1") -> bytearray:
    """Without bytearray(n), which takes n bytes of memory."""
    return bytearray(_bytes_from_text(content, encoding) if isinstance(content, str) else memoryview(content))


def _complex(real: float, imaginary: float) -> complex:
    return complex(float(real), float(imaginary))


def _set(members: Iterable[Any] = ()) -> set[Any]:
    return set(checked_keys(members))


def _frozenset(members: Iterable[Any] = ()) -> frozenset[Any]:
    return frozenset(checked_keys(members))


def _ordered(pairs: Iterable[Any] = ()) -> OrderedDict[Any, Any]:
    pairs = [tuple(pair) for pair in pairs]
    checked_keys(key for key, _ in pairs)
    return OrderedDict(pairs)


class Storage(NamedTuple):
    """A storage of torch's: the bytes and the type of its numbers."""

    content: bytes
    dtype: Any

    @property
    def nbytes(self) -> int:
        """How many bytes it takes."""
        return len(self.content)


def _tensor(storage: Any, offset: int, shape: Any, stride: Any, *_: Any) -> Any:
    if not isinstance(storage, Storage):
        raise UserError("it builds a tensor of something that is no storage")
    from signgen.io.torch_storage import strided_tensor

    return strided_tensor(storage.content, storage.dtype, offset, shape, stride)


ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _ordered,
    ("_codecs", "encode"): _bytes_from_text,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _DataType,
    **{
        (module, name): kind
        for module in ("builtins", "__builtin__")
        for name, kind in {
            "set": _set, "frozenset": _frozenset, "complex": _complex,
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
