import os
from pathlib import Path

import pytest

from signgen.errors import UserError
from signgen.io.atomic_files import atomic_folder, atomic_path


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


@pytest.mark.parametrize("failure", [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")])
def test_a_place_one_may_not_write_to_is_a_user_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: OSError
) -> None:
    fail_to_make_folders(monkeypatch, failure)
    with pytest.raises(UserError, match=failure.strerror), atomic_path(tmp_path / "video.mp4"):
        pass


def test_a_full_disk_is_not_a_user_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_to_make_folders(monkeypatch, OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"), atomic_path(tmp_path / "video.mp4"):
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
