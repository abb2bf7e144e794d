"""Opens corpora: knows their layouts, finds the layout of a folder, and joins several corpora."""

from collections.abc import Callable, Sequence
from functools import reduce
from operator import add
from pathlib import Path

from signgen.data.clip_folder import open_folder
from signgen.data.corpus import Corpus
from signgen.data.deepfashion import is_deepfashion, open_deepfashion
from signgen.data.phoenix import is_phoenix, open_phoenix
from signgen.data.synthetic import is_synthetic, open_synthetic
from signgen.errors import UserError

LAYOUTS: dict[str, Callable[[Path, str | None], Corpus]] = {
    "synthetic-signers": open_synthetic,
    "phoenix14t": open_phoenix,
    "deepfashion": open_deepfashion,
    "folder": open_folder,
}


def open_corpus(root: str | Path | Sequence[str | Path], split: str | None = None, *, layout: str = "auto") -> Corpus:
    """Opens the clips of one split of a corpus, or of several corpora joined in the order given.

    `root` is a folder, several folders in one string with `+` between them, or a sequence of folders.
    `layout` is a key of LAYOUTS or "auto". Files are listed, not opened. Raises UserError for a missing
    folder, split or layout.
    """
    if layout != "auto" and layout not in LAYOUTS:
        raise UserError(f"unknown corpus layout {layout!r}; choose auto, {', '.join(LAYOUTS)}")
    return reduce(add, (_open_one(folder, split, layout) for folder in _folders(root)))


def detect_layout(root: Path) -> str:
    """The key of LAYOUTS that fits the folders under `root`."""
    tests = {"synthetic-signers": is_synthetic, "phoenix14t": is_phoenix, "deepfashion": is_deepfashion}
    return next((layout for layout, fits in tests.items() if fits(root)), "folder")


def _folders(root: str | Path | Sequence[str | Path]) -> list[Path]:
    if isinstance(root, str) and not Path(root).exists():  # a `+` may be part of a real folder's name
        return [Path(part) for part in root.split("+")]
    if isinstance(root, str | Path):
        return [Path(root)]
    if not root:
        raise UserError("no corpus folder was given")
    return [Path(part) for part in root]


def _open_one(root: Path, split: str | None, layout: str) -> Corpus:
    if not root.is_dir():
        raise UserError(f"{root}: no such corpus folder")
    return LAYOUTS[detect_layout(root) if layout == "auto" else layout](root, split)
