"""Storage in a folder, of this host or shared by several."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import shutil
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from cloud_monitor.system.files import replacing
from worker.errors import is_of_process
from worker.storage.base import (
    BLOCK_BYTES,
    LARGEST_IMAGE_BYTES,
    Directory,
    ImageMissing,
    ImageTooLarge,
    OutsideStorage,
    Skip,
    StorageError,
    is_image,
    nothing,
)

# Of this process or machine, not of what was to be read
OF_IMAGE = frozenset({errno.ELOOP, errno.EISDIR, errno.ENAMETOOLONG, errno.ENXIO})
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
log = logging.getLogger(__name__)


class FolderStorage:
    """Symbolic links below the root are followed to read images within the root, and nowhere else."""

    def __init__(self, root: Path, bytes_max: int = LARGEST_IMAGE_BYTES) -> None:
        self.root = root.expanduser().absolute()
        self.url = str(self.root)
        self.requests = 0
        self.unlisted: list[str] = []
        self._bytes_max = bytes_max
        self._real_root = ""

    def list_directories(self, skip: Skip = nothing) -> Iterator[Directory]:
        """Links to images are followed, links to directories are not: they could lead round in circles."""
        waiting = deque([""])
        while waiting:
            path = waiting.popleft()
            try:
                names, below = self._list(path)
            except StorageError as error:
                if not path:
                    raise
                self.unlisted.append(str(error))
                continue
            waiting.extend(place for place in below if not skip(place))
            if names:
                yield Directory(path, tuple(names))

    def get(self, key: str, destination: Path) -> str:
        self.requests += 1
        digest = hashlib.sha256()
        try:
            file = open(self._place(key), "rb", buffering=0)  # noqa: SIM115 - closed below
        except OSError as error:
            raise self._fault(key, error) from error
        with file:
            self._check(file, key)
            received = 0
            with open(destination, "wb", buffering=0) as target:
                while block := self._read(file, key):
                    received += len(block)
                    if received > self._bytes_max:  # it grew meanwhile, or says no size
                        raise self._too_large(key)
                    digest.update(block)
                    write_all(target, block)
        return digest.hexdigest()

    def put(self, folder: str, token: int, name: str, source: Path) -> str:
        """Written beside its place, flushed to the disk, then renamed."""
        self.requests += 1
        key = f"{folder}/{token}/{name}"
        self._place(key)
        try:
            with self._opened(f"{folder}/{token}", make=True) as directory:
                place = Path(f"/proc/self/fd/{directory}/{name}")
                with source.open("rb") as file, replacing(place, private=False, durable=True) as target:
                    shutil.copyfileobj(file, target, 1 << 20)
        except OSError as error:
            raise StorageError(f"{self.url}: cannot put {key}: {_words(error)}") from error
        return key

    def obstacle(self) -> str:
        place = self.root
        while not os.path.lexists(place) and place != place.parent:
            place = place.parent
        if os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
            return ""
        return f"{self.url}: {place} is no folder that this user can write"

    def sweep(self, folder: str, keep: Collection[str]) -> int:
        self._place(folder)
        kept = {f"./{key.removeprefix(f'{folder}/')}" for key in keep}
        swept = 0
        try:
            with self._opened(folder) as top:
                for path, directories, names, directory in os.fwalk(".", topdown=False, dir_fd=top):
                    for name in names:
                        if f"{path}/{name}" not in kept:
                            with suppress(FileNotFoundError):
                                os.unlink(name, dir_fd=directory)
                                swept += 1
                    for name in directories:
                        with suppress(OSError):  # not empty, or a link, which is not ours to follow or remove
                            os.rmdir(name, dir_fd=directory)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise StorageError(f"{self.url}: cannot sweep {folder}: {_words(error)}") from error
        return swept

    def close(self) -> None:
        """Nothing is held open."""

    def _read(self, file: FileIO, key: str) -> bytes | None:
        try:
            return file.read(BLOCK_BYTES)
        except OSError as error:
            raise self._fault(key, error) from error

    def _fault(self, key: str, error: OSError) -> Exception:
        """The image's own where others are beside it; else it cannot be told from one file: a share that is
        not mounted is an empty folder.
        """
        if is_of_process(error):
            return error
        own = error.errno in OF_IMAGE or (error.errno == errno.ENOENT and self._has_images(key))
        return (ImageMissing if own else StorageError)(f"{self.url}: cannot read {key}: {error.strerror}")

    def _has_images(self, key: str) -> bool:
        """Whether the directory of the key holds any image."""
        with suppress(OSError), os.scandir(os.path.dirname(self._place(key))) as entries:
            return any(is_image(entry.name) for entry in entries)
        return False

    def _check(self, file: FileIO, key: str) -> None:
        """What was opened, whichever links led there: within the root, and not too large."""
        if os.fstat(file.fileno()).st_size > self._bytes_max:
            raise self._too_large(key)
        path = os.path.realpath(f"/proc/self/fd/{file.fileno()}")
        if not self._is_within(path, self._real_root):
            self._real_root = os.path.realpath(self.root)
            if not self._is_within(path, self._real_root):
                raise OutsideStorage(f"{self.url}: {key} is a link that leads out of it")

    def _is_within(self, path: str, root: str) -> bool:
        return bool(root) and path.startswith(f"{root.rstrip('/')}/")

    def _too_large(self, key: str) -> ImageTooLarge:
        return ImageTooLarge(
            f"{self.url}: {key} has more than {self._bytes_max} bytes (WORKER_IMAGE_MAX_BYTES)"
        )

    @contextmanager
    def _opened(self, folder: str, make: bool = False) -> Iterator[int]:
        """A folder below the root as a descriptor, reached through no link. Raises OSError."""
        if make:
            self.root.mkdir(parents=True, exist_ok=True)
        directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in folder.split("/"):
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=directory)
                below = os.open(part, _DIRECTORY, dir_fd=directory)
                os.close(directory)
                directory = below
            yield directory
        finally:
            os.close(directory)

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
                        if entry.is_symlink() and not self._leads_within(entry.path):
                            log.warning("%s: left out, it is a link that leads out of it", ascii(entry.path))
                        else:
                            names.append(entry.name)
        except OSError as error:
            raise StorageError(f"cannot list {self.root / path}: {error.strerror}") from error
        return sorted(names), sorted(below)

    def _leads_within(self, path: str) -> bool:
        return self._is_within(os.path.realpath(path), os.path.realpath(self.root))

    def _place(self, key: str) -> str:
        if key.startswith("/") or (".." in key and ".." in key.split("/")):
            raise StorageError(f"{self.url}: {key!r} leads out of it")
        return f"{self.url}/{key}"


def _words(error: OSError) -> str:
    """What the system said; where a link stands in the way, that."""
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return f"{error.strerror}: a link or a file stands where a folder should be"
    return error.strerror or str(error)


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
