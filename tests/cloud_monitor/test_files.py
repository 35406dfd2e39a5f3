"""Files that are replaced whole."""

from __future__ import annotations

import os
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest

from cloud_monitor.system.files import (
    create_file,
    make_folder,
    open_lock,
    replace_file,
    replacing,
    stamp_of,
)
from cloud_monitor.system.sqlite_file import connect
from tests.services.needs import need


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_full_disk_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    os.mkdir(tmp_path / "folder")
    with pytest.raises(OSError, match="folder"):  # stands for any failure after the bytes were written
        replace_file(tmp_path / "folder", b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file", "folder"]


def test_what_fails_on_the_way_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    with pytest.raises(TypeError), replacing(path, durable=True) as file:
        file.writelines([b"half of the n", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(("private", "mode"), [(True, 0o600), (False, 0o640)])
def test_who_may_read_it(tmp_path: Path, private: bool, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    before = os.umask(0o027)
    try:
        replace_file(path, b"new", private=private)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_what_killed_writers_left_behind_goes_after_an_hour(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for name, age_s in ((".state.json.0a.new", 7200), (".state.json.0b.new", 60), (".other.0a.new", 7200)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age_s, time.time() - age_s))
    replace_file(path, b"new")
    assert names(tmp_path) == [".other.0a.new", ".state.json.0b.new", "state.json"]


def test_a_stamp_tells_that_a_file_was_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert stamp_of(path) is None
    replace_file(path, b"same")
    first = stamp_of(path)
    assert stamp_of(path) == first
    replace_file(path, b"same")
    assert stamp_of(path) != first


def test_a_locks_file_is_closed_to_others(tmp_path: Path) -> None:
    """Also one that an earlier version left open, and no link is followed to another file."""
    for name, mode in (("new", None), ("old", 0o644)):
        path = tmp_path / name
        if mode is not None:
            path.touch(mode)
        os.close(open_lock(path))
        assert path.stat().st_mode & 0o777 == 0o600
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        open_lock(tmp_path / "link")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_what_root_makes_in_a_services_folder_is_the_services(tmp_path: Path) -> None:
    """`sudo cloud-monitor-worker enqueue` before the unit's first start shut the unit out of its queue."""
    need("root")
    nobody = 65534
    own, service = tmp_path / "own", tmp_path / "service"
    for folder in (own, service):
        folder.mkdir(0o750)
    (service / "kept").touch()
    os.chown(service, nobody, nobody)
    for folder in (own, service):
        replace_file(folder / "replaced", b"")
        os.close(open_lock(folder / "lock"))
        os.close(open_lock(folder / "kept"))
        make_folder(folder / "folder")
        create_file(folder / "created")
        with closing(connect(folder / "sqlite", synchronous="NORMAL")) as connection:
            connection.execute("CREATE TABLE t (n)")
    (service / "elsewhere").symlink_to(own / "folder")
    make_folder(service / "elsewhere")
    assert {path.name: path.lstat().st_uid for path in service.iterdir()} == {
        "replaced": nobody,
        "lock": nobody,
        "kept": 0,
        "folder": nobody,
        "created": nobody,
        "sqlite": nobody,
        "elsewhere": 0,
    }
    assert {path.lstat().st_uid for path in own.iterdir()} == {0}
