import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder, atomic_path, check_writable, locked_folder


def test_path_appears_only_when_complete(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "video.mp4"
    with atomic_path(final) as temporary:
        assert temporary.suffix == ".mp4"
        temporary.write_bytes(b"new")
        assert not final.exists()
    assert final.read_bytes() == b"new"
    assert os.listdir(final.parent) == ["video.mp4"]


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: type[BaseException]) -> None:
    final = tmp_path / "video.mp4"
    final.write_bytes(b"old")
    with pytest.raises(failure), atomic_path(final) as temporary:
        temporary.write_bytes(b"half")
        raise failure
    assert final.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["video.mp4"]


def test_folder_replaces_the_old_one_as_a_whole(tmp_path: Path) -> None:
    final = tmp_path / "checkpoint"
    final.mkdir()
    (final / "stale").touch()
    with atomic_folder(final) as temporary:
        (temporary / "fresh").touch()
        assert os.listdir(final) == ["stale"]
    assert os.listdir(final) == ["fresh"]
    assert os.listdir(tmp_path) == ["checkpoint"]


def test_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    final = tmp_path / "checkpoint"
    final.mkdir()
    (final / "stale").touch()
    with pytest.raises(KeyboardInterrupt), atomic_folder(final) as temporary:
        (temporary / "fresh").touch()
        raise KeyboardInterrupt
    assert os.listdir(final) == ["stale"]
    assert os.listdir(tmp_path) == ["checkpoint"]


def test_impossible_places_are_user_errors(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match="is a folder"), atomic_path(tmp_path):
        pass
    with pytest.raises(UserError, match="is a file"), atomic_folder(file):
        pass
    with pytest.raises(UserError, match="is not a folder"), atomic_path(file / "video.mp4"):
        pass
    with pytest.raises(UserError, match="is not a folder"), atomic_path(file / "deep" / "video.mp4"):
        pass


def test_a_place_one_may_not_write_to_is_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_to_make_folders(monkeypatch, PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(UserError, match="Permission denied"), atomic_path(tmp_path / "video.mp4"):
        pass


@pytest.mark.parametrize(
    "failure",
    [OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EROFS, "Read-only file system")],
)
def test_a_full_or_read_only_disk_is_the_machines_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    fail_to_make_folders(monkeypatch, failure)
    with pytest.raises(OSError, match=failure.strerror), atomic_path(tmp_path / "video.mp4"):
        pass


def fail_to_make_folders(monkeypatch: pytest.MonkeyPatch, failure: OSError) -> None:
    def fail(**_: object) -> str:
        raise failure

    monkeypatch.setattr("tempfile.mkdtemp", fail)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="tells files by /proc")
def test_what_is_renamed_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flush(handle: int) -> None:
        done.append(Path(f"/proc/self/fd/{handle}").resolve().name)
        fsync(handle)

    def rename(*paths: Path) -> None:
        done.append("rename")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", flush)
    monkeypatch.setattr(os, "replace", rename)
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("a")
    assert done == ["a.txt", "rename", tmp_path.name]
    done.clear()
    with atomic_folder(tmp_path / "folder") as temporary:
        (temporary / "part").mkdir()
        (temporary / "part" / "b.txt").write_text("b")
    assert done == ["part", "b.txt", "folder", "rename", tmp_path.name]


def killed_while(code: str, folder: Path) -> None:
    """Run `code` in a process that kills itself at the end, `folder` being its working folder."""
    program = f"import os, signal\nfrom pathlib import Path\n{code}\nos.kill(os.getpid(), signal.SIGKILL)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, env=environment)
    assert done.returncode == -signal.SIGKILL


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path) -> None:
    code = """
from signgen.io.atomic_files import atomic_path, atomic_folder
with atomic_path(Path("video.mp4")) as video, atomic_folder(Path("clip")) as clip:
    video.write_bytes(b"half")
    (clip / "frame").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed_while(code, tmp_path)
    left = os.listdir(tmp_path)
    assert len(left) == 2
    assert all(name.startswith(".") for name in left)
    with atomic_path(tmp_path / "other.mp4") as temporary:
        temporary.touch()
    assert os.listdir(tmp_path) == ["other.mp4"]


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    code = "from signgen.io.atomic_files import atomic_path\nwith atomic_path(Path('b')) as b:\n    b.touch()"
    with atomic_path(tmp_path / "a") as temporary:
        temporary.write_bytes(b"a")
        killed_while(code, tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_folder_that_was_being_replaced_is_there_again(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    code = """
from signgen.io import atomic_files
from signgen.io.atomic_files import atomic_folder
replace = os.replace
def replace_one(old, new):
    replace(old, new)
    os.kill(os.getpid(), signal.SIGKILL)
os.replace = replace_one
with atomic_folder(Path("model")) as folder:
    (folder / "new").touch()
"""
    killed_while(code, tmp_path)
    assert not (tmp_path / "model").exists()
    with locked_folder(tmp_path):
        assert os.listdir(tmp_path / "model") == ["new"]


def test_a_folder_has_one_writer(tmp_path: Path) -> None:
    with locked_folder(tmp_path / "out"):
        with pytest.raises(UserError, match="another signgen is writing there"), locked_folder(tmp_path / "out"):
            pass
        (tmp_path / "out" / "row").touch()
    with locked_folder(tmp_path / "out"):
        pass
    with locked_folder(tmp_path / "empty"):
        pass
    assert sorted(os.listdir(tmp_path)) == ["out"]


def test_a_place_is_looked_at_before_the_work_is_done(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    for place in ("new", "new/er/still", "file"):
        check_writable(tmp_path / place)
    check_writable(tmp_path, folder=True)
    wrong = [("", False, "is a folder"), ("file", True, "is a file"), ("file/below/it", False, "file is not a folder")]
    for place, folder, message in wrong:
        with pytest.raises(UserError, match=message):
            check_writable(tmp_path / place, folder=folder)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to this user")
def test_a_place_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UserError, match="Permission denied"):
        check_writable(tmp_path / "file")
    tmp_path.chmod(0o700)
