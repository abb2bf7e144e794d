"""Fetching a model folder: from the hub, or an archive from a URL, nothing but JSON, safetensors and text."""

import stat
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder
from signgen.io.model_config import model_index

SUFFIXES = (".json", ".safetensors", ".md", ".txt")  # what a model needs, and nothing that is code
MAX_BYTES = 64 << 30
CHUNK = 1 << 20

Progress = Callable[[Iterable[bytes], int, str], Iterable[bytes]]


def fetch_model(source: str, output: Path, progress: Progress = lambda chunks, total, what: chunks) -> None:
    """Fetch a hub id (owner/name) or the URL of a zip archive into the new folder `output`.

    The folder appears when it is complete and holds a model. progress: wraps the chunks of a download, given their
    number. Raises UserError for a source that cannot be reached, or holds something else.
    """
    if output.exists():
        raise UserError(f"{output} exists already: give another name")
    scheme = urlsplit(source).scheme
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
                size = int(response.headers.get("Content-Length") or 0)
                if size > MAX_BYTES:
                    raise UserError(f"{source}: {size:,} bytes are too many for a model")
                chunks = iter(lambda: response.read(CHUNK), b"")
                for chunk in progress(chunks, -(-size // CHUNK), "Fetching"):
                    file.write(chunk)
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise UserError(f"{source}: cannot be fetched ({error})") from error
        try:
            with zipfile.ZipFile(file) as archive:
                _unpack(archive, folder, source)
        except zipfile.BadZipFile as error:
            raise UserError(f"{source}: no zip archive of a model folder") from error


def _unpack(archive: zipfile.ZipFile, folder: Path, source: str) -> None:
    """The model's files, wherever in the archive its folder lies. Anything that is no such file is refused."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise UserError(f"{source}: too large for a model")
    roots = [PurePosixPath(entry.filename).parent for entry in entries if entry.filename.endswith("model_index.json")]
    if len(roots) != 1:
        raise UserError(f"{source}: {len(roots)} model folders in it (model_index.json), expected one")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        link = stat.S_ISLNK(entry.external_attr >> 16)
        if path.is_absolute() or ".." in path.parts or link or path.suffix not in SUFFIXES:
            raise UserError(f"{source}: {entry.filename} has no place in a model folder")
        if not path.is_relative_to(roots[0]):
            raise UserError(f"{source}: {entry.filename} lies outside the model's folder")
        target = folder / path.relative_to(roots[0])
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as content, target.open("wb") as file:
            while chunk := content.read(CHUNK):
                file.write(chunk)
