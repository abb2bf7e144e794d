"""numpy's .npz and .npy files: our own archives (keypoints, size, fps), and plain arrays of keypoints."""

import io
import threading
import zipfile
from functools import partial

import numpy as np

from signgen.errors import UserError, one_line
from signgen.io.limits import read_member
from signgen.poses.formats.instances import SCORE_KEYS
from signgen.poses.formats.point_arrays import as_points
from signgen.poses.formats.raw import RawPoses, Sequences

# A small file may declare a huge array; keypoints of an hour of video take less than this.
MAX_BYTES = 2 << 30
# numpy reads a header with Python's own parser, which counts its depth wrongly where several threads use it at once.
HEADER = threading.Lock()


def read_npy(content: bytes) -> Sequences:
    """One array of keypoints: (F, K, 2 or 3), or (K, 2 or 3) for a single frame."""
    return {"": lambda: RawPoses.by_count("npy", as_points(_array(content)))}


def read_npz(content: bytes) -> Sequences:
    """`keypoints` with optional `scores`, `size` and `fps`; or one array per clip, by name."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # zipfile lets struct's and its own errors through
        raise UserError(f"broken archive ({one_line(error)})") from error
    names = {member.removesuffix(".npy") for member in archive.namelist() if member.endswith(".npy")}
    if any(member.endswith("/data.pkl") or member == "data.pkl" for member in archive.namelist()):
        raise UserError("a file of torch.save: load it in Python and keep its array by numpy.save, which can be read")
    if not names:
        raise UserError("the archive holds no numpy arrays")
    if "keypoints" in names:
        return {"": partial(_own_archive, archive, names)}
    return {name: partial(_clip, archive, name) for name in sorted(names)}


def _own_archive(archive: zipfile.ZipFile, names: set[str]) -> RawPoses:
    size = _size(_member(archive, "size")) if "size" in names else None
    fps = _fps(_member(archive, "fps")) if "fps" in names else None
    scores = next((_member(archive, name) for name in SCORE_KEYS if name in names), None)
    return RawPoses.by_count("npz", as_points(_member(archive, "keypoints"), scores), size, fps)


def _clip(archive: zipfile.ZipFile, name: str) -> RawPoses:
    return RawPoses.by_count("npz", as_points(_member(archive, name)))


def _member(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return _array(read_member(archive, archive.getinfo(f"{name}.npy"), MAX_BYTES))


def _array(content: bytes) -> np.ndarray:
    try:
        with HEADER:
            return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # numpy parses the header by ast, tokenize and struct, and lets their errors by
        raise UserError(f"broken numpy array ({one_line(error)})") from error


def _size(array: np.ndarray) -> tuple[int, int]:
    if array.shape != (2,) or array.dtype.kind not in "iu":
        raise UserError("its `size` must be two whole numbers, width and height")
    return int(array[0]), int(array[1])


def _fps(array: np.ndarray) -> float:
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise UserError("its `fps` must be one number")
    return float(array.reshape(()))
