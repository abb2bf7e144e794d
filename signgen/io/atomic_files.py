"""Output that appears under its final name only when it is complete: written beside it, flushed, then renamed."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from signgen.errors import UserError


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """A temporary file path beside `final`, with the same suffix, renamed to `final` when the block succeeds.

    Missing folders above `final` are made. On any exception, Ctrl-C included, the temporary file is removed
    and whatever stood under `final` before is untouched.

    Raises:
        UserError: `final` is a folder, or its folder cannot be made or written to.
    """
    final = Path(final)
    if final.is_dir():
        raise UserError(f"{final} is a folder; give the name of a file")
    with _workspace(final) as workspace:
        temporary = workspace / final.name
        yield temporary
        _flush(temporary)
        os.replace(temporary, final)
        _flush(final.parent)


@contextmanager
def atomic_folder(final: Path) -> Iterator[Path]:
    """An empty temporary folder beside `final` that becomes `final` when the block succeeds.

    A folder that stood there before is replaced as a whole. On any exception, Ctrl-C included, the temporary
    folder is removed and the old one stays.

    Raises:
        UserError: `final` is a file, or the folder above it cannot be made or written to.
    """
    final = Path(final)
    if final.exists() and not final.is_dir():
        raise UserError(f"{final} is a file; give the name of a folder")
    with _workspace(final) as workspace:
        temporary = workspace / final.name
        temporary.mkdir()
        yield temporary
        for path in (*temporary.rglob("*"), temporary):
            _flush(path)
        if final.exists():  # no portable call swaps two folders: between these two renames, nothing is lost
            os.replace(final, workspace / f"{final.name}.old")
        os.replace(temporary, final)
        _flush(final.parent)


def _flush(path: Path) -> None:
    """Have a file, or a folder's list of names, written to the disk: a file that is renamed before that may be empty
    after a power cut."""
    posix = os.name == "posix"
    if path.is_dir() and not posix:  # Windows opens no folders, and flushes only what is open to be written
        return
    handle = os.open(path, os.O_RDONLY if posix else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def keep_settings(path: Path, settings: Mapping[str, Any]) -> None:
    """Store as JSON what the files beside `path` are made with; UserError where something else is stored already."""
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    elif (stored := path.read_text(encoding="utf-8")) != text:
        raise UserError(
            f"{path.parent} holds clips made with other settings ({_first_difference(stored, text)}): "
            "choose another output or delete the folder"
        )


def _first_difference(stored: str, wanted: str) -> str:
    lines = zip(stored.splitlines(), wanted.splitlines(), strict=False)
    return next((a.strip(" ,") for a, b in lines if a != b), "more or fewer of them")


@contextmanager
def _workspace(final: Path) -> Iterator[Path]:
    """A hidden temporary folder on the same file system as `final`, removed in the end whatever happens."""
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        workspace = Path(tempfile.mkdtemp(prefix=f".{final.name[:64]}.", suffix=".partial", dir=final.parent))
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"cannot write {final}: {error.filename} is not a folder") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:  # the machine's failure, not the user's
            raise
        raise UserError(f"cannot write {final}: {error.strerror} in {final.parent}") from error
    try:
        yield workspace
    finally:
        shutil.rmtree(workspace, ignore_errors=True)
