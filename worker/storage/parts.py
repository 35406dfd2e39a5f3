"""Parts of stored files, for whoever reads few bytes of many and must not wait long: nothing is tried again.

A key is names of folders and a file; nothing that leads elsewhere is followed, be it `..` or a link.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from worker.storage.base import StorageError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_AWAY = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO})
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # of a fifo one would wait for a writer


class NoFile(StorageError):
    """The place answered: there is no such file."""


class FileReplaced(StorageError):
    """While it was read; another attempt reads the new one."""


class StoredFile(Protocol):
    """A file as it was when it was opened. One that is replaced meanwhile is read on, or refused."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, size: int) -> bytes:
        """Fewer bytes where the file ends before. Raises FileReplaced, StorageError."""


class FilePlace(Protocol):
    def opened(self, key: str) -> AbstractContextManager[StoredFile]:
        """Raises NoFile, StorageError."""

    def close(self) -> None: ...


def names_of(key: str) -> list[str]:
    """Raises NoFile for a key that could lead elsewhere."""
    names = key.split("/")
    if not all(names) or {".", ".."} & set(names) or "\0" in key:
        raise NoFile(f"{key!r} is no key of a file")
    return names


class _LocalPart:
    def __init__(self, descriptor: int, size: int, name: str) -> None:
        self._descriptor = descriptor
        self.size = size
        self._name = name

    def read(self, offset: int, size: int) -> bytes:
        try:
            return os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise StorageError(f"{self._name}: {error.strerror}") from None


class FolderPlace:
    """Every name below the root must be a folder, the last a file."""

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    @contextmanager
    def opened(self, key: str) -> Iterator[StoredFile]:
        descriptor = self._open(names_of(key), key)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise NoFile(f"{self.root}: {key} is no file")
            yield _LocalPart(descriptor, status.st_size, f"{self.root}: {key}")
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Nothing is held open."""

    def _open(self, names: list[str], key: str) -> int:
        try:
            at = os.open(self.root, _FOLDER)
        except OSError as error:
            raise StorageError(f"{self.root}: {error.strerror}") from None
        try:
            for number, name in enumerate(names, 1):
                flags = _FILE if number == len(names) else _FOLDER | os.O_NOFOLLOW
                below = os.open(name, flags, dir_fd=at)
                os.close(at)
                at = below
        except OSError as error:
            os.close(at)
            raise (NoFile if error.errno in _AWAY else StorageError)(
                f"{self.root}: {key}: {error.strerror}"
            ) from None
        return at
