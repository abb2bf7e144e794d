"""The synthetic signers' layout: `videos/<split>/*.mp4`, `keypoints/<split>.npz`, `<split>.corpus.csv`."""

from pathlib import Path

from signgen.data.corpus import Clip, Corpus, no_such_split
from signgen.data.phoenix_annotations import read_annotations


def is_synthetic(root: Path) -> bool:
    """Whether `root` has the folders of this layout."""
    return (root / "videos").is_dir() and (root / "keypoints").is_dir()


def open_synthetic(root: Path, split: str | None) -> Corpus:
    """Lists the clips of one split in its table's order. Raises UserError if the split does not exist."""
    splits = sorted(table.name.removesuffix(".corpus.csv") for table in root.glob("*.corpus.csv"))
    if split is None or split not in splits:
        raise no_such_split(root, split, splits)
    keypoints = root / "keypoints" / f"{split}.npz"
    return Corpus(
        tuple(
            Clip(
                name=row.name,
                frames=root / "videos" / split / f"{row.name}.mp4",
                poses=keypoints,
                pose_name=row.name,
                speaker=row.speaker,
                gloss=row.orth,
                text=row.translation,
            )
            for row in read_annotations(root / f"{split}.corpus.csv")
        )
    )
