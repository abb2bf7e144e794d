"""numpy's .npz and .npy files: our own archives (keypoints, size, fps), and plain arrays of key points."""

import io
import zipfile

import numpy as np

from signgen.errors import UserError
from signgen.poses.raw import RawPoses
from signgen.video.images import one_line

# A small file may declare a huge array; key points of an hour of video take less than this.
MAX_BYTES = 2 << 30


def read_npy(content: bytes, name: str | None) -> RawPoses:
    """One array of key points: (F, K, 2 or 3), or (K, 2 or 3) for a single frame."""
    if name is not None:
        raise UserError("it holds one sequence only; leave the name out")
    return RawPoses.by_count("npy", as_points(_load(content)))


def read_npz(content: bytes, name: str | None) -> RawPoses:
    """`keypoints` with optional `size` and `fps`; or one array per clip, of which `name` selects one."""
    arrays = _Archive(content)
    if name is None and "keypoints" in arrays.names:
        size, fps = (arrays.load(key) if key in arrays.names else None for key in ("size", "fps"))
        return RawPoses.by_count("npz", as_points(arrays.load("keypoints")), _size(size), _fps(fps))
    return RawPoses.by_count("npz", as_points(arrays.load(selected(name, arrays.names))))


def selected(name: str | None, names: list[str]) -> str:
    """The entry that `name` selects of a file of many videos; the only one where there is one."""
    if name is None and len(names) == 1:
        return names[0]
    some = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    if name is None:
        raise UserError(f"it holds {len(names)} sequences ({some}): select one by FILE::NAME")
    if name not in names:
        raise UserError(f"it holds no sequence called {name!r}; it has {some}")
    return name


def as_points(array: np.ndarray) -> np.ndarray:
    """Any array of key points as float (F, K, 3): one frame, one person and absent scores are completed."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise UserError("key points must be an array of numbers")
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[-1] not in (2, 3) or not len(array):
        raise UserError(f"key points of shape {array.shape}: it must be (frames, points, 3)")
    array = array.astype(np.float64)
    if (
        array.shape[-1] == 2
    ):  # without scores, points at the origin or left and above of it are taken as missing
        array = np.concatenate([array, (array > 0).any(-1, keepdims=True)], -1)
    return array


class _Archive:
    """A zip file of .npy members, each checked before it is unpacked."""

    def __init__(self, content: bytes):
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise UserError(f"broken archive ({one_line(error)})") from error
        self.names = [n.removesuffix(".npy") for n in self._zip.namelist() if n.endswith(".npy")]
        if not self.names:
            raise UserError("the archive holds no numpy arrays")

    def load(self, name: str) -> np.ndarray:
        member = f"{name}.npy"
        if self._zip.getinfo(member).file_size > MAX_BYTES:
            raise UserError(f"the array {name!r} is too large")
        try:
            content = self._zip.read(member)
        except Exception as error:  # zipfile lets zlib's, lzma's and its own errors through
            raise UserError(f"broken archive ({one_line(error)})") from error
        return _load(content)


def _load(content: bytes) -> np.ndarray:
    try:
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (
        Exception
    ) as error:  # numpy parses the header with ast, tokenize and struct, whose errors it lets through
        raise UserError(f"broken numpy array ({one_line(error)})") from error


def _size(array: np.ndarray | None) -> tuple[int, int] | None:
    if array is None:
        return None
    if array.shape != (2,) or array.dtype.kind not in "iu":
        raise UserError("its `size` must be two whole numbers, width and height")
    return int(array[0]), int(array[1])


def _fps(array: np.ndarray | None) -> float | None:
    if array is None:
        return None
    if array.size != 1 or array.dtype.kind not in "fiu":
        raise UserError("its `fps` must be one number")
    return float(array.reshape(()))
