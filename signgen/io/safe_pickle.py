"""Reads pickles from strangers. Nothing in them is run, and they cannot take more memory than their size allows.

The field's keypoint and label files are pickles, and unpickling runs whatever a file asks for. Here a file
may ask only for what data are made of: plain containers, numbers, numpy arrays of numbers and torch tensors.
Arrays are rebuilt by code of this module, which checks their shape and size against their bytes; what is built is
taken from the file's budget of memory, and data that repeat themselves without end are refused.
"""

import io
import os
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from signgen.errors import UserError
from signgen.io.limits import Budget
from signgen.io.pickled_data import ALLOWED, KEYS, Stateful, Storage, checked_keys

INSTRUCTIONS = 1_000_000  # some seconds of reading
DEPTH = 32
NUMBER_BITS = 512
REPEATED = 100_000  # values of a pickle beyond its bytes, because it may name one object in several places


def load_pickle(content: bytes | BinaryIO, path: str | Path) -> Any:
    """What the pickle `content`, or an open file, holds; arrays are numpy's, tensors torch's. `path`: for errors.

    Raises UserError for a broken pickle, and for one that asks for anything but data, or for too much.
    """
    try:
        if isinstance(content, bytes):
            return DataUnpickler(io.BytesIO(content), len(content)).load()
        return DataUnpickler(content, os.fstat(content.fileno()).st_size).load()
    except UserError as error:
        raise UserError(f"{path}: refused: {error}") from error
    except MemoryError:
        raise
    except Exception as error:  # a broken pickle can raise anything
        raise UserError(f"{path}: broken pickle ({type(error).__name__})") from error


class _Instructions(dict):
    """The unpickler's instructions by their byte, as many of them as a file may have."""

    left = INSTRUCTIONS

    def __getitem__(self, instruction: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise UserError(f"it takes more than {INSTRUCTIONS:,} steps to read")
        return super().__getitem__(instruction)


class _Bounded:
    """A file of which nobody reads more than it has: reading takes the memory for what is asked for first."""

    def __init__(self, file: Any, size: int) -> None:
        self._file, self._size = file, size
        self.readline = file.readline

    def read(self, count: int) -> bytes:
        if count > self._size:
            raise EOFError
        return self._file.read(count)


# The unpickler in Python, not the one in C, whose memo takes gigabytes at the word of a nine-byte file.
class DataUnpickler(pickle._Unpickler):
    """Unpickles data alone: anything else that a pickle asks for is refused.

    file: where the pickle begins. size: of the whole file in bytes, which its data may take so much more of.
    """

    keys = KEYS
    stack: list[Any]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]

    def __init__(self, file: Any, size: int) -> None:
        super().__init__(_Bounded(file, size))
        self.size, self.budget = size, Budget(size)
        self.dispatch = _Instructions(_DISPATCH)  # type: ignore[misc]  # of this file alone: it counts

    def load(self) -> Any:
        data = super().load()
        _check_extent(data, self.size + REPEATED)
        return data

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return _storage
        allowed = ALLOWED.get((module, name))
        if allowed is None:
            raise UserError(f"it asks for {module}.{name}; a file of data needs no such thing")
        return allowed

    def persistent_load(self, pid: Any) -> Any:
        raise UserError("it refers to data outside the file")

    def take_built(self) -> None:
        """Take what an instruction has just built from the budget."""
        built = self.stack[-1]
        self.budget.take(max(sys.getsizeof(built), int(getattr(built, "nbytes", 0))))

    def set_state(self) -> None:
        """BUILD: sets the state of an object, here of this module's own alone."""
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Stateful):
            target.__setstate__(state)
            self.take_built()
        elif not isinstance(target, dict):  # what is attached to a dict, as torch does, is no data
            raise UserError(f"it changes a {type(target).__name__}; a file of data needs no such thing")

    def read_byte_array(self) -> None:
        """BYTEARRAY8, which Python's own takes the memory for before it looks whether the file is as long."""
        (count,) = struct.unpack("<Q", self.read(8))
        if count > self.size:
            raise EOFError
        self.append(bytearray(self.read(count)))


def _of_size(load: Callable[[Any], None]) -> Callable[[DataUnpickler], None]:
    def loaded(self: DataUnpickler) -> None:
        load(self)
        if self.stack[-1].bit_length() > NUMBER_BITS:  # which takes minutes to print
            raise UserError("it holds an absurdly large number")

    return loaded


def _then_taken(load: Callable[[Any], None]) -> Callable[[DataUnpickler], None]:
    def loaded(self: DataUnpickler) -> None:
        load(self)
        self.take_built()

    return loaded


def _with_keys(load: Callable[[Any], None], keys: slice) -> Callable[[DataUnpickler], None]:
    """An instruction before which the keys that it is given, those `keys` of the stack, are looked at."""

    def loaded(self: DataUnpickler) -> None:
        checked_keys(self.stack[keys], self.keys)
        load(self)

    return loaded


def _dispatch() -> dict[int, Callable[[Any], None]]:
    own: dict[int, Callable[[Any], None]] = dict(pickle._Unpickler.dispatch)
    for code in (pickle.INST, pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4):  # no data are written with these
        del own[code[0]]
    for code in (pickle.REDUCE, pickle.NEWOBJ, pickle.NEWOBJ_EX):
        own[code[0]] = _then_taken(own[code[0]])
    for code in (pickle.INT, pickle.LONG, pickle.LONG1, pickle.LONG4):
        own[code[0]] = _of_size(own[code[0]])
    every, others, last = slice(None), slice(0, None, 2), slice(-2, -1)
    for code, keys in (
        (pickle.SETITEM, last), (pickle.SETITEMS, others), (pickle.DICT, others),
        (pickle.ADDITEMS, every), (pickle.FROZENSET, every),
    ):  # fmt: skip
        own[code[0]] = _with_keys(own[code[0]], keys)
    return own | {pickle.BUILD[0]: DataUnpickler.set_state, pickle.BYTEARRAY8[0]: DataUnpickler.read_byte_array}


_DISPATCH = _dispatch()


_CONTAINERS = (list, tuple, set, frozenset)


def _check_extent(data: Any, limit: int) -> None:
    """UserError for data that nest deeply, hold themselves, or have more than `limit` values, repeated ones counted."""
    waiting, count = [(data, 0)], 0
    while waiting:
        value, depth = waiting.pop()
        inner = list(value.values()) if isinstance(value, dict) else value
        count += len(inner) if isinstance(inner, _CONTAINERS) else 0
        if depth > DEPTH or count > limit:
            raise UserError("its data nest too deeply, or repeat themselves")
        if isinstance(inner, _CONTAINERS):
            waiting += ((item, depth + 1) for item in inner if isinstance(item, (*_CONTAINERS, dict)))


class _StorageUnpickler(DataUnpickler):
    """Of the pickles in front of a storage's bytes."""

    def find_class(self, module: str, name: str) -> Any:
        from signgen.io.torch_storage import STORAGES

        if module != "torch" or name not in STORAGES:
            raise UserError(f"a storage asks for {module}.{name}; it needs no such thing")
        return STORAGES[name]

    def persistent_load(self, pid: Any) -> Any:
        _, dtype, _, _, count, *_ = pid
        return dtype, count


def _storage(content: bytes) -> Storage:
    """What torch writes for a storage inside a pickle: five pickles, then the number of its numbers and their bytes.

    Magic number, version, machine, the storage's type and size, its key.
    """
    file = io.BytesIO(content)
    _, _, _, (dtype, count), _ = (_StorageUnpickler(file, len(content)).load() for _ in range(5))
    (stored,) = struct.unpack("<q", file.read(8))
    numbers = file.read()
    if stored != count or len(numbers) != count * dtype.itemsize:
        raise ValueError("the storage's bytes do not match its size")
    return Storage(numbers, dtype)
