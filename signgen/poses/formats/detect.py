"""Reading pose files: the format is found from the content, never from the name."""

import json
import zipfile
from codecs import getincrementaldecoder
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from signgen.errors import UserError, about
from signgen.io.limits import TEXT, check_plain, read_bytes, unzipped
from signgen.io.names import visible
from signgen.poses.formats.deepfashion_annotations import CSV_HEADER, read_deepfashion_csv, read_deepfashion_text
from signgen.poses.formats.json_files import read_frames, read_json
from signgen.poses.formats.keypoint_pickles import read_pickle
from signgen.poses.formats.numpy_files import read_npy, read_npz
from signgen.poses.formats.pose_format import MAGIC, read_pose
from signgen.poses.formats.raw import RawPoses, Sequences, select
from signgen.poses.sequence import PoseSequence, check_size
from signgen.video.images import holds_image, is_image
from signgen.video.kinds import is_video
from signgen.video.readers import natural_key

MAX_BYTES = 2 << 30  # of arrays
HEAD = 512  # bytes that tell what a file is
ZIP, NUMPY, GZIP, PICKLE = b"PK", b"\x93NUMPY", b"\x1f\x8b", b"\x80"  # what files begin with; pickles from protocol 2


def read_poses(
    path: str | Path,
    *,
    name: str | None = None,
    size: tuple[int, int] | None = None,
    fps: float | None = None,
    pose_size: tuple[int, int] | None = None,
    person: str | None = None,
) -> PoseSequence:
    """Read poses of any supported format.

    Args:
        path: a file, or a folder with one JSON file a frame; FILE::NAME selects one sequence of a file of
        many. name: selects as well, where `path` is to be taken as it is. size: (width, height) of the
        image, used where the file does not say. fps: frames per second, used where the file does not say;
        25 where neither does. pose_size: the image's size, whatever the file says. person: which of several
        people, see `signgen.poses.people.choose`; the largest where it is not given.

    Normalised coordinates are brought to pixels. What was made of a file that leaves something open, an `InputWarning`
    says. Raises UserError, naming the file, for anything that is no valid pose sequence.
    """
    for given in (size, pose_size):
        if given is not None:
            check_size(given)
    raw = read_raw(path, name)
    with about(path):
        return raw.sequence(size, fps, pose_size=pose_size, person=person)


def read_raw(path: str | Path, name: str | None = None) -> RawPoses:
    """The poses as the file has them; arguments as `read_poses`. UserError, naming the file, if it cannot."""
    file, name = split_name(path, name)
    sequences = list_sequences(file)
    with about(file):
        return select(sequences, name)


def split_name(path: str | Path, name: str | None = None) -> tuple[Path, str | None]:
    """FILE::NAME as file and name."""
    text = str(path)
    if name is None and "::" in text and not Path(text).exists():
        text, name = text.rsplit("::", 1)
    return Path(text), name


def list_sequences(path: Path) -> Sequences:
    """The sequences of a file by name, as yet unread. UserError, naming the file, if it holds no poses."""
    with about(path):
        try:
            if path.is_dir():
                return _read_folder(path)
            status = path.stat()
            return _read_file(path, status.st_mtime_ns, status.st_size)
        except OSError as error:
            raise UserError(f"cannot read poses ({error.strerror})") from error


@lru_cache(maxsize=1)  # a corpus reads its clips one after the other from one large file
def _read_file(path: Path, modified: int, size: int) -> Sequences:
    check_plain(path)
    with path.open("rb") as file:
        head = file.read(HEAD)
        if head.startswith(PICKLE):  # of a whole split: read as it goes
            file.seek(0)
            return read_pickle(file)
    if not _is_data(head):
        _refuse_images(path)
    if head.startswith(ZIP) and not zipfile.is_zipfile(path):
        raise UserError("broken archive")
    content = read_bytes(path, MAX_BYTES if head.startswith((ZIP, NUMPY, GZIP)) else TEXT)
    if content.startswith(GZIP):
        content = unzipped(content, MAX_BYTES)
    return _reader(content)(content)


def holds_poses(path: str | Path) -> bool:
    """Whether `path`, a file, FILE::NAME or a folder, can be read as poses."""
    try:
        return bool(list_sequences(split_name(path)[0]))
    except UserError:
        return False


def holds_video(path: Path) -> bool:
    """Whether `path` is a video file, that is a file that FFmpeg shows as one and that has no poses to be read."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return not _is_data(file.read(HEAD)) and is_video(path)


def holds_images(path: Path) -> bool:
    """Whether `path` is a folder of images: drawn poses, if any."""
    return path.is_dir() and not _json_files(path) and any(map(is_image, visible(path)))


def _refuse_images(path: Path) -> None:
    if is_video(path):
        raise UserError("a video holds no keypoints; extract them with `signgen poses extract`")
    if holds_image(path):
        raise UserError("not a pose file but an image: give a file of poses, or a video to take them from")


def _json_files(path: Path) -> list[Path]:
    return sorted((p for p in visible(path) if p.suffix.lower() == ".json"), key=natural_key)


def _read_folder(path: Path) -> Sequences:
    files = _json_files(path)
    if files:
        return read_frames({file.name: read_bytes(file) for file in files})
    if holds_images(path):
        raise UserError(
            "images hold no keypoints: pose maps of poses cannot be read back, only shown to a model that was "
            "trained on such pose maps (read_pose_maps); `signgen poses extract` finds poses in images of a signer"
        )
    raise UserError("the folder holds no JSON files of poses")


def _is_data(head: bytes) -> bool:
    """Whether a file that begins so is text or data, and no video or image."""
    return head.startswith((ZIP, NUMPY, GZIP, PICKLE)) or head[:4] in MAGIC or _text(head) is not None


def _reader(content: bytes) -> Callable[[bytes], Sequences]:
    """The reader for what the file begins with."""
    if not content:
        raise UserError("the file is empty")
    if content.startswith(ZIP):
        return read_npz
    if content.startswith(NUMPY):
        return read_npy
    if content[:4] in MAGIC:
        return read_pose
    if content[:1] == PICKLE or (content[:1] in b"(]}" and content[-1:] == b"."):  # protocols 2 on; 0, 1
        return read_pickle
    if (_text(content[:HEAD]) or "").lstrip()[:1] in ("{", "["):
        return read_json
    return _read_text


def _text(head: bytes) -> str | None:
    """The beginning of a text in any of Unicode's encodings, without its byte order mark; None for other content."""
    try:
        decoder = getincrementaldecoder(json.detect_encoding(head))()  # a character may be cut off at the end
        text = decoder.decode(head, final=len(head) < HEAD).lstrip("\ufeff")
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character.isspace() for character in text) else None


def _read_text(content: bytes) -> Sequences:
    try:
        text = content.decode(json.detect_encoding(content)).lstrip("\ufeff")
    except UnicodeDecodeError:
        raise UserError("not a pose file of any known format") from None
    if text.startswith(CSV_HEADER):
        return read_deepfashion_csv(text)
    if text[:1] in "-0123456789":
        return read_deepfashion_text(text)
    raise UserError("not a pose file of any known format")
