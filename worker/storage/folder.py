"""Storage in a folder, of this host or shared by several."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections import deque
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from cloud_monitor.system.files import replacing
from worker.storage.base import BLOCK_BYTES, Directory, ImageMissing, StorageError, is_image

# The file server does not answer, or has forgotten
AWAY = frozenset({errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ETIMEDOUT})
log = logging.getLogger(__name__)


class FolderStorage:
    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()
        self.url = str(self.root)
        self.requests = 0

    def list_directories(self, skip: str | None = None) -> Iterator[Directory]:
        """Links to images are followed, links to directories are not: they could lead round in circles."""
        waiting = deque([""])
        while waiting:
            path = waiting.popleft()
            names, below = self._list(path)
            waiting.extend(place for place in below if place != skip)
            if names:
                yield Directory(path, tuple(names))

    def get(self, key: str, destination: Path) -> str:
        self.requests += 1
        digest = hashlib.sha256()
        try:
            file = open(self._place(key), "rb", buffering=0)  # noqa: SIM115 - closed below
        except OSError as error:
            raise self._fault(key, error) from error
        with file, open(destination, "wb", buffering=0) as target:
            while block := self._read(file, key):
                digest.update(block)
                write_all(target, block)
        return digest.hexdigest()

    def put(self, folder: str, token: int, name: str, source: Path) -> str:
        """Written beside its place, flushed to the disk, then renamed."""
        self.requests += 1
        key = f"{folder}/{token}/{name}"
        place = Path(self._place(key))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with source.open("rb") as file, replacing(place, private=False, durable=True) as target:
                shutil.copyfileobj(file, target, 1 << 20)
        except OSError as error:
            raise StorageError(f"{self.url}: cannot put {key}: {error.strerror}") from error
        return key

    def sweep(self, folder: str, keep: str | None) -> int:
        place = Path(self._place(folder))
        kept = Path(self._place(keep)) if keep else None
        try:
            files = [file for file in place.rglob("*") if file.is_file() and file != kept]
            for file in files:
                file.unlink(missing_ok=True)
            for directory in sorted((path for path in place.rglob("*") if path.is_dir()), reverse=True):
                if not any(directory.iterdir()):
                    directory.rmdir()
        except OSError as error:
            raise StorageError(f"{self.url}: cannot sweep {folder}: {error.strerror}") from error
        return len(files)

    def close(self) -> None:
        """Nothing is held open."""

    def _read(self, file: FileIO, key: str) -> bytes | None:
        try:
            return file.read(BLOCK_BYTES)
        except OSError as error:
            raise self._fault(key, error) from error

    def _fault(self, key: str, error: OSError) -> StorageError:
        """The image's own, unless its directory is away too, as it is when a shared folder is not mounted:
        that must not cost the images their chance.
        """
        away = error.errno in AWAY or not os.path.isdir(os.path.dirname(self._place(key)))
        kind = StorageError if away else ImageMissing
        return kind(f"{self.url}: cannot read {key}: {error.strerror}")

    def _list(self, path: str) -> tuple[list[str], list[str]]:
        """Names of images, and paths of the directories below."""
        self.requests += 1
        prefix = f"{path}/" if path else ""
        names, below = [], []
        try:
            with os.scandir(self.root / path) as entries:
                for entry in entries:
                    if not is_text(entry.name):
                        log.warning("%s: left out, its name is not UTF-8: rename it", ascii(entry.path))
                    elif entry.is_dir(follow_symlinks=False):
                        below.append(prefix + entry.name)
                    elif is_image(entry.name) and entry.is_file():
                        names.append(entry.name)
        except OSError as error:
            raise StorageError(f"cannot list {self.root / path}: {error.strerror}") from error
        return sorted(names), sorted(below)

    def _place(self, key: str) -> str:
        if key.startswith("/") or (".." in key and ".." in key.split("/")):
            raise StorageError(f"{self.url}: {key!r} leads out of it")
        return f"{self.url}/{key}"


def write_all(target: FileIO, block: bytes) -> None:
    """A file without a buffer may take a part of what it is given, when its disk is all but full."""
    written = target.write(block)
    while written < len(block):
        written += target.write(block[written:])


def is_text(name: str) -> bool:
    """Other names could not be kept in the database."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
