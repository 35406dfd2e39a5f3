"""Files that several processes share: replaced whole, so that a reader sees the old or the new one."""

from __future__ import annotations

import glob
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

_SUFFIX = ".new"
_LEFT_BEHIND_S = 3600  # an older one's writer was killed


def is_absent(path: Path) -> bool:
    """Whether it is known not to be there. What lies in a folder that may not be searched is not: opening it
    tells why it cannot be had."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def replace_file(path: Path, content: bytes, *, private: bool = True) -> None:
    """Replace `path` atomically. A full disk leaves the old file and raises OSError.

    Private files can be read by this user alone, others by whom the umask lets.
    """
    _remove_left_behind(path)
    with replacing(path, private=private) as file:
        file.write(content)


@contextmanager
def replacing(path: Path, *, private: bool = True, durable: bool = False) -> Iterator[BinaryIO]:
    """A new file beside `path`, which takes its place when the block ends, and goes where the block fails.

    Durable: its content is on the disk before it takes the place.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(6)}{_SUFFIX}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
    try:
        with open(descriptor, "wb") as file:
            give_to_owner_of(path.parent, file.fileno())
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _remove_left_behind(path: Path) -> None:
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{_SUFFIX}"):
        with suppress(OSError):  # another process is as fast
            if time.time() - left.stat().st_mtime > _LEFT_BEHIND_S:
                left.unlink()


_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


def open_lock(path: Path) -> int:
    """The descriptor of a lock's file that no other user can open: whoever can read a file can lock it.

    One that others could open, as earlier versions made it, is closed to them. Raises OSError.
    """
    try:
        descriptor = os.open(path, _LOCK_FLAGS | os.O_EXCL, 0o600)
    except FileExistsError:
        descriptor = os.open(path, _LOCK_FLAGS, 0o600)
    else:
        give_to_owner_of(path.parent, descriptor)
    status = os.fstat(descriptor)
    if status.st_mode & 0o077 and status.st_uid == os.geteuid():
        os.fchmod(descriptor, 0o600)
    return descriptor


def make_folder(folder: Path) -> None:
    """Make a folder of state, closed to other users; one that is there stays as it is. Raises OSError.

    Its group may enter what lies in a folder as create_file tells of.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if _lets_group_read(folder.parent):
            os.fchmod(descriptor, 0o750)
        give_to_owner_of(folder.parent, descriptor)
    finally:
        os.close(descriptor)


def create_file(path: Path) -> None:
    """Make an empty file in a folder of state, closed to other users; one that is there stays as it is.

    Its group may read what lies in a folder that the group may read and others may not enter: 0750, as units
    make it. Anywhere else files are this user's alone, whatever the umask. Raises OSError.
    """
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            if _lets_group_read(path.parent):
                os.fchmod(descriptor, 0o640)
            give_to_owner_of(path.parent, descriptor)
        finally:
            os.close(descriptor)


def give_to_owner_of(folder: Path, descriptor: int) -> None:
    """What root has just made in a folder of state belongs to the folder's owner, as SQLite has it with its
    logs: by hand root would shut out the service, which runs as that user. Other users change nothing.
    """
    if os.geteuid() == 0:
        status = folder.stat()
        if status.st_uid != 0:
            with suppress(PermissionError):  # a share that takes nothing from root
                os.fchown(descriptor, status.st_uid, status.st_gid)


def _lets_group_read(folder: Path) -> bool:
    return folder.stat().st_mode & 0o057 == 0o050


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """What changes whenever the file is replaced; None where there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size
