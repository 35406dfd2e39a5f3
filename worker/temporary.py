"""Temporary folders: one a worker, counted, and removed whatever happens.

No figure of the host says how much of a container's temporary storage is ours, so our own files are
counted. A worker holds a lock on its folder for as long as it lives; a folder whose lock can be taken
belongs to nobody any more and is removed. What a running chunk may still take is reserved by the length of
an empty sparse file.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from worker.gate import TempUse

PREFIX = "cloud-monitor-worker-"
RESERVATION = ".reserved"  # also the mark of a folder that we made: no other is ever removed


class TempFolder:
    """A worker's folder below `temp_dir`, locked while this object lives. Raises OSError."""

    def __init__(self, temp_dir: Path, name: str) -> None:
        temp_dir.mkdir(parents=True, exist_ok=True)
        self._temp_dir = temp_dir
        self.path = temp_dir / f"{PREFIX}{name}"
        with _locked(temp_dir):  # a sweep must not come between the folder and its lock
            self.path.mkdir(mode=0o700)
            (self.path / RESERVATION).touch()
            self._descriptor = _lock_folder(self.path)

    def reserve(self, size_bytes: int) -> None:
        """What the worker's chunks may take from now on; replaces what was reserved.

        Another length is a transaction of the file system, for which a busy disk may keep one waiting.
        """
        file = self.path / RESERVATION
        if os.stat(file).st_size != size_bytes:
            os.truncate(file, size_bytes)

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._descriptor)


@contextmanager
def temp_claims(temp_dir: Path) -> Iterator[None]:
    """Held from counting to reserving, so that two workers of a host do not both take the last room."""
    with _locked(temp_dir):
        yield


def count_files(temp_dir: Path) -> dict[str, int]:
    """Bytes of the files in each worker's folder. It takes the longest of all that precedes a claim, and can
    be done before `temp_claims`: who waits for that has not to wait for this.
    """
    return {folder.name: _files_bytes(folder) for folder in _folders(temp_dir)}


def read_temp_use(
    temp_dir: Path,
    limit_bytes: int,
    files: Mapping[str, int] | None = None,
    reserved: Mapping[str, int] = MappingProxyType({}),
) -> TempUse:
    """What all workers' folders hold or have reserved, and what they may: never more than the disk has left.
    `files` is what `count_files` has just said; `reserved` holds for its folders in place of what they say.
    """
    files = count_files(temp_dir) if files is None else files
    claimed_bytes = sum(
        max(
            files.get(folder.name, 0),
            reserved[folder.name] if folder.name in reserved else _reserved_bytes(folder),
        )
        for folder in _folders(temp_dir)
    )
    figures = os.statvfs(temp_dir)
    free_bytes = figures.f_bavail * figures.f_frsize
    return TempUse(claimed_bytes, min(limit_bytes, sum(files.values()) + free_bytes))


def sweep_temp(temp_dir: Path) -> list[str]:
    """Remove the folders of workers that are gone; gives their names."""
    if not temp_dir.is_dir():
        return []
    with _locked(temp_dir):
        return [folder.name for folder in _folders(temp_dir) if _remove_abandoned(folder)]


def _remove_abandoned(folder: Path) -> bool:
    try:
        descriptor = _lock_folder(folder)
    except OSError:  # locked by its worker, or gone meanwhile
        return False
    ours = (folder / RESERVATION).is_file()
    if ours:
        shutil.rmtree(folder, ignore_errors=True)
    else:  # a worker killed before it could mark its folder; with anything in it, it is not ours
        with suppress(OSError):
            folder.rmdir()
    os.close(descriptor)
    return ours


def _folders(temp_dir: Path) -> list[Path]:
    return [path for path in temp_dir.glob(f"{PREFIX}*") if path.is_dir() and not path.is_symlink()]


def _files_bytes(folder: Path) -> int:
    """A file that goes meanwhile counts nothing."""
    files_bytes = 0
    for entry in _entries(folder):
        if entry.name != RESERVATION:
            with suppress(FileNotFoundError):
                files_bytes += entry.stat(follow_symlinks=False).st_size
    return files_bytes


def _reserved_bytes(folder: Path) -> int:
    try:
        return os.stat(folder / RESERVATION).st_size
    except FileNotFoundError:  # the folder is going, or not marked yet
        return 0


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _lock_folder(folder: Path) -> int:
    """An exclusive lock that the kernel drops with the process. Raises OSError where somebody has it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


@contextmanager
def _locked(temp_dir: Path) -> Iterator[None]:
    descriptor = os.open(temp_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
