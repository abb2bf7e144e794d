"""Names of files as people mean them: hidden files are none of theirs, and an accent may be written in two ways."""

import unicodedata
from pathlib import Path


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, in order, but for dot-files: macOS keeps `._NAME` beside NAME on other systems' disks."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def composed(name: str) -> str:
    """The name in Unicode's normal form C: macOS and Linux store the same accents as different characters."""
    return unicodedata.normalize("NFC", name)


def named(folder: Path, name: str) -> Path | None:
    """What is called `name` in a folder, however its accents are written; None where nothing is."""
    if (folder / name).exists():
        return folder / name
    if name.isascii() or not folder.is_dir():
        return None
    return next((path for path in visible(folder) if composed(path.name) == composed(name)), None)
