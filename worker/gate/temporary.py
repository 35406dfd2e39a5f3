"""Temporary folders: one a worker, counted, and removed whatever happens.

No figure of the host says how much of a container's temporary storage is ours, so our own files are
counted: each worker counts its own, and tells the others by the length of an empty sparse file, so that no
decision has to look at every image of every worker. What a running chunk may still take is reserved by
another. A worker holds a lock on its folder for as long as its process lives; a folder whose lock can be
taken belongs to nobody any more and is removed.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from cloud_monitor.system.files import open_lock
from worker.gate.model import TempUse

PREFIX = "cloud-monitor-worker-"
RESERVED = ".reserved"  # also the mark of a folder that we made: no other is ever removed
COUNTED = ".counted"
TOLD = (RESERVED, COUNTED)  # by their lengths; the mark is made first
REMOVED = ".removed"  # at the end of its name: a folder that is being removed, whatever is left in it


class TempFolder:
    """A worker's folder below `temp_dir`, locked until this process ends. Raises OSError."""

    def __init__(self, temp_dir: Path, name: str) -> None:
        temp_dir.mkdir(parents=True, exist_ok=True)
        self.path = temp_dir / f"{PREFIX}{name}"
        with _locked(temp_dir):  # a sweep must not come between the folder and its lock
            self.path.mkdir(mode=0o700)
            for name in TOLD:
                (self.path / name).touch()
            _lock_folder(self.path)

    def count(self) -> None:
        """Tell what its files hold just now. Raises OSError."""
        self._tell(COUNTED, _files_bytes(self.path))

    def reserve(self, size_bytes: int) -> None:
        """What the worker's chunks may take from now on; replaces what was reserved. Raises OSError."""
        self._tell(RESERVED, size_bytes)

    def _tell(self, name: str, size_bytes: int) -> None:
        """Another length is a transaction of the file system, for which a busy disk may keep one waiting."""
        file = self.path / name
        if os.stat(file).st_size != size_bytes:
            os.truncate(file, size_bytes)

    def remove(self) -> None:
        """Any thread may, also while others still write into it, and again."""
        _remove(self.path)


@contextmanager
def temp_claims(temp_dir: Path) -> Iterator[None]:
    """Held from counting to reserving, so that two workers of a host do not both take the last room."""
    with _locked(temp_dir):
        yield


def read_temp_use(
    temp_dir: Path, limit_bytes: int, reserved: Mapping[str, int] = MappingProxyType({})
) -> TempUse:
    """What all workers' folders hold or have reserved, and what they may: never more than the disk has left.
    `reserved` holds for its folders in place of what they say.
    """
    files_bytes = claimed_bytes = 0
    for folder in _folders(temp_dir):
        counted_bytes = _length(folder, COUNTED)
        said_bytes = reserved.get(folder.name)
        reserved_bytes = _length(folder, RESERVED) if said_bytes is None else said_bytes
        files_bytes += counted_bytes
        claimed_bytes += max(counted_bytes, reserved_bytes)
    figures = os.statvfs(temp_dir)
    free_bytes = figures.f_bavail * figures.f_frsize
    return TempUse(claimed_bytes, min(limit_bytes, files_bytes + free_bytes))


def sweep_temp(temp_dir: Path) -> list[str]:
    """Remove the folders of workers that are gone; gives their names."""
    if not temp_dir.is_dir():
        return []
    with _locked(temp_dir):
        return [folder.name for folder in _folders(temp_dir) if _remove_abandoned(Path(folder))]


def _remove_abandoned(folder: Path) -> bool:
    try:
        descriptor = _lock_folder(folder)
    except OSError:  # locked by its worker, or gone meanwhile
        return False
    ours = folder.name.endswith(REMOVED) or (folder / RESERVED).is_file()
    if ours:
        _remove(folder)
    else:  # a worker killed before it could mark its folder; with anything in it, it is not ours
        with suppress(OSError):
            folder.rmdir()
    os.close(descriptor)
    return ours


def _remove(folder: Path) -> None:
    """By another name first: from then on nothing can be put into it, and what is left of it when this is cut
    short is known for ours without the mark.
    """
    removed = folder.with_name(folder.name.removesuffix(REMOVED) + REMOVED)
    with suppress(OSError):
        folder.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)


def _folders(temp_dir: Path) -> list[os.DirEntry[str]]:
    with os.scandir(temp_dir) as entries:
        ours = [entry for entry in entries if entry.name.startswith(PREFIX)]
    return [entry for entry in ours if entry.is_dir(follow_symlinks=False)]


def _files_bytes(folder: Path) -> int:
    """A file that goes meanwhile counts nothing."""
    files_bytes = 0
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                files_bytes += entry.stat(follow_symlinks=False).st_size * (entry.name not in TOLD)
    return files_bytes


def _length(folder: os.DirEntry[str], name: str) -> int:
    try:
        return os.stat(f"{folder.path}/{name}").st_size
    except (FileNotFoundError, PermissionError):  # going, or not made yet; or of another user's fleet
        return 0


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
    """By a file that no other user can open: whoever may read a folder, as anybody may /tmp, could lock it
    for ever. Raises OSError, also where another user has put a file in its place."""
    descriptor = open_lock(lock_file(temp_dir))
    try:
        if os.fstat(descriptor).st_uid != os.geteuid():
            told = "belongs to another user: remove it, or set WORKER_TEMP_DIR to a folder of this user"
            raise PermissionError(errno.EACCES, told, str(lock_file(temp_dir)))
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock_file(temp_dir: Path) -> Path:
    """One a user: no other could be trusted with it."""
    return temp_dir / f".{PREFIX}{os.geteuid()}.lock"
