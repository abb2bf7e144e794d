"""Output that appears under its final name only when it is complete: written beside it, flushed, then renamed."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from signgen.errors import UserError
from signgen.io.limits import read_text

PARTIAL, OLD, LOCK, DISCARDED = ".partial", ".old", ".lock", "discarded"
# What is the machine's failure and not the user's: a full or broken disk, one that is for reading alone.
MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


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
            os.replace(final, workspace / f"{final.name}{OLD}")
        os.replace(temporary, final)
        _flush(final.parent)


def check_writable(final: Path, *, folder: bool = False) -> None:
    """UserError where no file, or folder, can be made under this name, for asking before the work is done.

    Nothing is written.
    """
    if not folder and final.is_dir():
        raise UserError(f"{final} is a folder; give the name of a file")
    if folder and final.exists() and not final.is_dir():
        raise UserError(f"{final} is a file; give the name of a folder")
    above = next(folder for folder in final.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UserError(f"cannot write {final}: {above} is not a folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {final}: Permission denied in {above}")


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
    """Store the settings that the files beside `path` are made with, as JSON. Raises UserError if other settings are
    stored."""
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if not path.exists():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    elif (stored := read_text(path)) != text:
        raise UserError(
            f"{path.parent} holds clips made with other settings ({_first_difference(stored, text)}): "
            "choose another output or delete the folder"
        )


def _first_difference(stored: str, wanted: str) -> str:
    lines = zip(stored.splitlines(), wanted.splitlines(), strict=False)
    return next((a.strip(" ,") for a, b in lines if a != b), "more or fewer of them")


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Keep other writers out of a folder, and remove what killed ones left half-written in it.

    Raises UserError while another one writes there, or where it cannot be made.
    """
    with _user_errors(folder / LOCK):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            message = f"{folder}: another signgen is writing there: wait for it, or choose another output"
            raise UserError(message) from error
    try:
        for left in list(folder.rglob(f".*{PARTIAL}")):
            _finish(left)
        yield
    finally:
        lock.release()
        if os.listdir(folder) == [LOCK]:  # nothing came of it
            shutil.rmtree(folder, ignore_errors=True)


def discard_folder(folder: Path) -> None:
    """Remove a folder such that no half of it is ever seen under its name."""
    with _workspace(folder) as workspace:
        os.replace(folder, workspace / DISCARDED)


@contextmanager
def _workspace(final: Path) -> Iterator[Path]:
    """A hidden temporary folder on the same file system as `final`, removed in the end whatever happens.

    A lock in it says that it is in use. A killed process leaves both, the lock open, for the next one to remove.
    """
    with _user_errors(final):
        final.parent.mkdir(parents=True, exist_ok=True)
        _clean(final.parent.resolve())
        workspace, lock = _locked_workspace(final)
    try:
        yield workspace
    finally:
        lock.release()
        shutil.rmtree(workspace, ignore_errors=True)


def _locked_workspace(final: Path) -> tuple[Path, FileLock]:
    while True:
        workspace = Path(tempfile.mkdtemp(prefix=f".{final.name[:64]}.", suffix=PARTIAL, dir=final.parent))
        lock = FileLock(workspace / LOCK)
        try:
            lock.acquire(timeout=0)
            return workspace, lock
        except (Timeout, FileNotFoundError):  # somebody who cleans took it for left, because it was not yet locked
            continue


@cache
def _clean(folder: Path) -> None:
    """Remove what killed processes left in a folder; once in a process, because folders can be large."""
    for left in [entry.path for entry in os.scandir(folder) if entry.name.endswith(PARTIAL) and entry.name[0] == "."]:
        _finish(Path(left))


def _finish(workspace: Path) -> None:
    """Remove a workspace that nobody uses; a folder that was to replace another, complete, takes its place first."""
    lock = FileLock(workspace / LOCK)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return
    for old in workspace.glob(f"*{OLD}"):
        final = workspace.parent / old.name.removesuffix(OLD)
        if not final.exists():
            os.replace(workspace / final.name, final)
    lock.release()
    shutil.rmtree(workspace, ignore_errors=True)


@contextmanager
def _user_errors(final: Path) -> Iterator[None]:
    """What the system says about a place that cannot be written, as a UserError; what the machine lacks as it is."""
    try:
        yield
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"cannot write {final}: {error.filename} is not a folder") from error
    except OSError as error:
        if error.errno in MACHINE_ERRORS:
            raise
        raise UserError(f"cannot write {final}: {error.strerror} in {final.parent}") from error
