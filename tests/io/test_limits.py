import gzip
import io
import os
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from signgen.data.phoenix_labels import read_labels
from signgen.errors import LONGEST, UserError, one_line
from signgen.io.limits import check_archive, parse_json, read_bytes, read_json
from signgen.poses import read_poses
from signgen.training.checkpoint import load_checkpoint


def bomb(path: Path, name: str, head: bytes = b"", megabytes: int = 80) -> Path:
    """A zip archive of a member that is nearly all zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as member:
        member.write(head)
        for _ in range(megabytes):
            member.write(bytes(1 << 20))
    assert path.stat().st_size < 1 << 20
    return path


def test_archives_unpack_to_no_more_than_their_size_allows(tmp_path: Path) -> None:
    header = io.BytesIO()
    shape = ((80 << 20) // (133 * 3 * 4), 133, 3)
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
    with pytest.raises(UserError, match=r"unpacks to more than \d+ MiB"):
        read_poses(bomb(tmp_path / "a.npz", "keypoints.npy", header.getvalue()), size=(10, 10))
    with pytest.raises(UserError, match="unpacks to far more than it has"):
        check_archive(bomb(tmp_path / "a.zip", "a"))
    (tmp_path / "checkpoints").mkdir()
    bomb(tmp_path / "checkpoints" / "step-00000001.pt", "archive/data/0")
    with pytest.raises(UserError, match="unpacks to far more than it has"):
        load_checkpoint(tmp_path / "checkpoints")
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(80 << 20), 1))
    for read in (read_labels, read_poses):
        with pytest.raises(UserError, match=r"unpacks to more than \d+ MiB"):
            read(tmp_path / "a.gz")


def test_only_plain_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.npz")
    for path in (tmp_path / "a.npz", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(UserError, match="a pipe or a device"):
            read_bytes(path)
        with pytest.raises(UserError, match="a pipe or a device"):
            read_poses(path)
    with (tmp_path / "large").open("wb") as file:
        file.truncate(8 << 30)
    start = time.process_time()
    with pytest.raises(UserError, match="too large: more than 128 MiB"):
        read_bytes(tmp_path / "large")
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 100_000, "broken JSON"),
        (b"[" + b"{}," * 3_000_000 + b"{}]", "too many values"),
        (b"9" * 10_000, "broken JSON"),
        (b"\xff\xfe", "broken JSON"),
        (b"", "broken JSON"),
    ],
)
def test_json_is_of_a_reasonable_extent(content: bytes, reason: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=reason):
        parse_json(content)
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "a.json"))):
        read_json(tmp_path / "a.json")


def test_an_error_is_one_line_that_can_be_shown() -> None:
    assert one_line("a\n  b\x1b[31mc\ud800") == r"a b\x1b[31mc\ud800"
    assert one_line(KeyError()) == "KeyError"
    long = str(UserError(f"/begin/{'x' * 10_000}: the end"))
    assert len(long) <= LONGEST
    assert long.startswith("/begin/x")
    assert long.endswith("x: the end")
