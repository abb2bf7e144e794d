"""Fetches a model folder from the hub, or as an archive from a URL. Only JSON, safetensors and text files are kept."""

import shutil
import stat
import tempfile
import urllib.request
import zipfile
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from signgen.errors import UserError, one_line
from signgen.io.atomic_files import MACHINE_ERRORS, atomic_folder, check_writable
from signgen.io.limits import budget
from signgen.io.model_config import model_index
from signgen.runtime.progress import Progress, silent

SUFFIXES = (".json", ".safetensors", ".md", ".txt")  # what a model needs, and nothing that is code
MAX_BYTES, MAX_UNSAID = 64 << 30, 4 << 30
CHUNK = 1 << 20
ENCRYPTED, DEPTH = 1, 16  # a flag of zip archives; folders in folders


def fetch_model(source: str, output: Path, progress: Progress = silent) -> None:
    """Fetch a hub id (owner/name) or the URL of a zip archive into the new folder `output`.

    The folder appears when it is complete and holds a model. progress: wraps the chunks of a download, given their
    number. Raises UserError for a source that cannot be reached, or holds something else.
    """
    if output.exists():
        raise UserError(f"{output} exists already: give another name")
    check_writable(output, folder=True)
    try:
        scheme = urlsplit(source).scheme
    except ValueError as error:
        raise UserError(f"{source}: this is no URL ({error})") from error
    if scheme not in ("", "http", "https"):
        raise UserError(f"{source}: a model is fetched by https, or by its hub id (owner/name)")
    with atomic_folder(output) as folder:
        if scheme:
            _fetch_archive(source, folder, progress)
        else:
            _fetch_from_hub(source, folder)
        model_index(folder)  # raises for a folder that holds no model


def _fetch_from_hub(source: str, folder: Path) -> None:
    try:
        found = snapshot_download(source, allow_patterns=[f"*{suffix}" for suffix in SUFFIXES])
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        raise UserError(f"{source}: the hub does not give this model ({type(error).__name__})") from error
    for path in Path(found).rglob("*"):
        if path.is_file() and path.suffix in SUFFIXES:
            target = folder / path.relative_to(found)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())


def _fetch_archive(source: str, folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryFile() as file:
        try:
            with urllib.request.urlopen(source, timeout=60) as response:
                _download(source, response, file, progress)
        except (OSError, ValueError, HTTPException) as error:
            raise UserError(f"{source}: cannot be fetched ({one_line(error)})") from error
        try:
            with zipfile.ZipFile(file) as archive:
                _unpack(archive, folder, source)
        except (OSError, UserError):
            raise
        except Exception as error:  # zipfile lets zlib's, lzma's, struct's and its own errors through
            raise UserError(f"{source}: no zip archive of a model folder ({one_line(error)})") from error


def _download(source: str, response: Any, file: BinaryIO, progress: Progress) -> None:
    """The bytes of a response, as many as it says there are, and no more than a model can have."""
    size = int(response.headers.get("Content-Length") or 0)
    chunks = iter(lambda: response.read(CHUNK), b"")
    received, limit = 0, MAX_BYTES if size else MAX_UNSAID
    for chunk in progress(chunks, -(-size // CHUNK), "Fetching"):
        received += len(chunk)
        if max(size, received) > limit:
            what = "a model" if size else "a download that does not say how long it is"
            raise UserError(f"{source}: more than {limit >> 30} GiB are too many for {what}")
        file.write(chunk)
    if size and received != size:
        raise UserError(f"{source}: cut off: {received:,} of {size:,} bytes came")


def _unpack(archive: zipfile.ZipFile, folder: Path, source: str) -> None:
    """Unpack the model's files, wherever in the archive its folder lies. Any other file is refused."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    roots = [PurePosixPath(entry.filename).parent for entry in entries if entry.filename.endswith("model_index.json")]
    if len(roots) != 1:
        raise UserError(f"{source}: {len(roots)} model folders in it (model_index.json), expected one")
    left = budget(sum(entry.compress_size for entry in entries))
    for entry in entries:
        target = folder / _place(entry, roots[0], source)
        left -= entry.file_size
        if left < 0:
            raise UserError(f"{source}: it unpacks to far more than it has: this is no model")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as content, target.open("xb") as file:
                shutil.copyfileobj(content, file, CHUNK)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise UserError(f"{source}: {entry.filename} is in it twice, or also as a folder") from error
        except OSError as error:
            if error.errno in MACHINE_ERRORS:
                raise
            raise UserError(f"{source}: {entry.filename} cannot be unpacked ({one_line(error)})") from error


def _place(entry: zipfile.ZipInfo, root: PurePosixPath, source: str) -> PurePosixPath:
    """Where in a model folder an entry belongs. UserError where it is no plain file of such a folder."""
    path = PurePosixPath(entry.filename)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    named = path.parts and all(len(part.encode(errors="replace")) < 200 and part.isprintable() for part in path.parts)
    plain = kind in (0, stat.S_IFREG) and not entry.flag_bits & ENCRYPTED
    if path.is_absolute() or ".." in path.parts or not named or not plain or path.suffix not in SUFFIXES:
        raise UserError(f"{source}: {entry.filename} has no place in a model folder")
    if "\\" in entry.filename or len(path.parts) > DEPTH:
        raise UserError(f"{source}: {entry.filename} has no place in a model folder")
    if not path.is_relative_to(root):
        raise UserError(f"{source}: {entry.filename} lies outside the model's folder")
    return path.relative_to(root)
