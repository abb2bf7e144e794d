"""Reading pose files: the format is found from the content, never from the name."""

from collections.abc import Callable
from pathlib import Path

from signgen.errors import UserError
from signgen.poses.arrays import read_npy, read_npz
from signgen.poses.pose_files import MAGIC, read_pose
from signgen.poses.raw import RawPoses
from signgen.poses.sequence import PoseSequence, check_size

Reader = Callable[[bytes, str | None], RawPoses]
MAX_FILE_BYTES = 4 << 30


def read_poses(
    path: str | Path,
    *,
    name: str | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
) -> PoseSequence:
    """Read a pose file of any supported format.

    Args:
        path: the file, or FILE::NAME to select one sequence of a file that holds many.
        name: selects as well, where `path` is to be taken as it is.
        size: (width, height) of the picture, used where the file does not say.
        fps: frames per second, used where the file does not say; 25 where neither does.

    Raises UserError, naming the file, for anything that is no valid pose sequence.
    """
    if size is not None:
        check_size(size)
    raw_path, name = split_name(path, name)
    raw = read_raw(raw_path, name)
    try:
        return raw.sequence(size, fps)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def read_raw(path: str | Path, name: str | None = None) -> RawPoses:
    """What the file holds, as it holds it.

    UserError, naming the file, for anything else than a known format.
    """
    path = Path(path)
    content = _content(path)
    try:
        return _reader(content)(content, name)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def split_name(path: str | Path, name: str | None = None) -> tuple[Path, str | None]:
    """FILE::NAME as file and name."""
    text = str(path)
    if name is None and "::" in text and not Path(text).exists():
        text, name = text.rsplit("::", 1)
    return Path(text), name


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise UserError(f"{path}: too large for a pose file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such pose file") from error
    except IsADirectoryError as error:
        raise UserError(f"{path}: a folder, not a pose file") from error


def _reader(content: bytes) -> Reader:
    if not content:
        raise UserError("the file is empty")
    if content.startswith(b"PK"):
        return read_npz
    if content.startswith(b"\x93NUMPY"):
        return read_npy
    if content[:4] in MAGIC:
        return read_pose
    raise UserError("not a pose file of any known format")
