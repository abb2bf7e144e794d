"""Limits of what reading one file may take. All readers have the same limits.

A small file can ask for gigabytes: by a number in its header, by compression, or by repeating itself. Therefore its own
size limits the memory that it may take (`budget`), and a fixed size limits text, which grows most. Only plain
files are read: a pipe or a device has no size, and may never end.
"""

import gzip
import io
import json
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any

from signgen.errors import UserError, one_line

BASE, FACTOR = 64 << 20, 16  # bytes; data of this project's kinds are seldom packed to less than a sixteenth
TEXT = 128 << 20  # bytes of a text file
JSON_MEMORY = 512 << 20  # bytes that the values of a JSON file may take
# What Python's objects take of memory, by the signs that announce them.
COSTS = {b",": 32, b":": 96, b"[": 64, b"{": 232}


def budget(size: int) -> int:
    """How many bytes of memory the content of a file of `size` bytes may take."""
    return BASE + FACTOR * size


class Budget:
    """The memory that a file has left for its content."""

    def __init__(self, size: int) -> None:
        self.left = budget(size)

    def take(self, count: int) -> None:
        """Take `count` bytes of it. UserError where there are fewer left."""
        self.left -= count
        if self.left < 0:
            raise UserError("it asks for far more memory than a file of its size may")


def check_plain(path: str | Path) -> int:
    """The size of a file. UserError where it is a pipe or a device; OSError where it is not there, or is a folder."""
    status = os.stat(path)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(21, "it is a folder", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: a pipe or a device; give a plain file")
    return status.st_size


def read_bytes(path: str | Path, limit: int = TEXT) -> bytes:
    """A plain file's bytes. UserError for more than `limit` of them, or another kind of file; OSError as `open`."""
    if check_plain(path) <= limit:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
        if len(content) <= limit:
            return content
    raise UserError(f"{path}: too large: more than {limit >> 20} MiB")


def read_text(path: str | Path, encoding: str = "utf-8") -> str:
    """A plain file's text. UserError and OSError as `read_bytes`; UnicodeDecodeError."""
    return io.TextIOWrapper(io.BytesIO(read_bytes(path)), encoding).read()


def parse_json(content: bytes | str) -> Any:
    """The value that a JSON text holds. UserError where it is broken, nests too deeply, or has too many values."""
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    if sum(raw.count(sign) * cost for sign, cost in COSTS.items()) > JSON_MEMORY:
        raise UserError("the JSON holds too many values: split it")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UserError(f"broken JSON ({one_line(error)})") from error


def read_json(path: str | Path) -> Any:
    """The value that a JSON file holds. UserError, naming the file, where it cannot be read or is no JSON."""
    try:
        return parse_json(read_bytes(path))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UserError as error:
        raise UserError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def unzipped(content: bytes, limit: int) -> bytes:
    """What gzip packed. UserError where it is broken, or more than `limit` bytes or the budget of its size."""
    limit = min(limit, budget(len(content)))
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"broken gzip file ({one_line(error)})") from error
    if len(unpacked) > limit:
        raise UserError(f"the gzip file unpacks to more than {limit >> 20} MiB: too much for its size")
    return unpacked


def read_member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limit: int) -> bytes:
    """What a zip archive holds as `entry`. UserError where it is broken, or more than `limit` or its budget allows."""
    limit = min(limit, budget(entry.compress_size))
    if entry.file_size > limit:
        raise UserError(f"{entry.filename!r} unpacks to more than {limit >> 20} MiB: too much for its size")
    try:
        return archive.read(entry)
    except Exception as error:  # zipfile lets zlib's, lzma's, struct's and its own errors through
        raise UserError(f"broken archive ({one_line(error)})") from error


def check_archive(path: str | Path) -> None:
    """UserError where a zip archive, if the file is one, unpacks to far more than it has; or is no plain file."""
    size = check_plain(path)
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except Exception:  # no archive, or a broken one: its reader says so
        return
    if unpacked > budget(size):
        raise UserError(f"{path}: it unpacks to far more than it has")
