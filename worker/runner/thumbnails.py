"""A worker's thumbnails until they are in storage: encoded and kept in its temporary folder, by a thread of
their own.

Nothing here can fail an answer: what goes wrong is told once, and the picture has no thumbnail.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from worker.queue import Claim
from worker.recognition import GreyThumbnail
from worker.review.pack import (
    MOST_BYTES,
    MOST_NUMBERS,
    NO_ENTRY,
    NOT_DECODED,
    NOT_MADE,
    PACK_NAME,
    THERE,
    PackEntry,
    digest_of,
    pack_header,
    picture_mark,
)
from worker.storage import Storage, StorageError

log = logging.getLogger(__name__)

WAITING_MOST = 64  # thumbnails that are not encoded yet, 64 kB each: beyond, whoever brings one encodes it

FORGOTTEN_MOST = 100  # chunks, of which an image may still be in the recogniser


class Thumbnails:
    """Of all chunks of a worker. `add` and `forget` may be called by any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._packs: dict[tuple[int, int], _Pack] = {}
        self._forgotten: deque[tuple[int, int]] = deque(maxlen=FORGOTTEN_MOST)
        self._lock = threading.Lock()
        self._encoder = ThreadPoolExecutor(1, thread_name_prefix="thumbnails")
        self._room = threading.Semaphore(WAITING_MOST)

    def add(self, claim: Claim, number: int, thumbnail: GreyThumbnail | None, sha256: str) -> None:
        """Of an answered image; None where there is none to be had."""
        with self._lock:
            key = claim.chunk, claim.token
            if key in self._forgotten:  # it was in the recogniser when its chunk was lost
                return
            pack = self._packs.get(key) or self._packs.setdefault(key, _Pack(self._folder, *key))
        if not self._room.acquire(blocking=False):
            pack.add(number, thumbnail, sha256)
            return
        try:
            self._encoder.submit(self._add, pack, number, thumbnail, sha256)
        except RuntimeError:  # closed: the worker leaves
            self._room.release()

    def put(self, claim: Claim, storage: Storage) -> None:
        """The pack of what was added before, in place of what was put of it before."""
        with self._lock:
            pack = self._packs.get((claim.chunk, claim.token))
        if pack is None:
            return
        path = self._folder / f"{claim.chunk}.{claim.token}-{PACK_NAME}"
        try:
            self._encoder.submit(int).result()  # those that were added before
            if pack.write(path):
                storage.put(claim.folder, claim.token, PACK_NAME, path)
        except (OSError, StorageError) as error:
            log.warning("%s: its thumbnails could not be stored: %s", claim.name, error)
        finally:
            path.unlink(missing_ok=True)

    def forget(self, claim: Claim) -> None:
        """The chunk is this worker's no more."""
        with self._lock:
            self._forgotten.append((claim.chunk, claim.token))
            pack = self._packs.pop((claim.chunk, claim.token), None)
        if pack is not None:
            pack.remove()

    def close(self) -> None:
        self._encoder.shutdown()

    def _add(self, pack: _Pack, number: int, thumbnail: GreyThumbnail | None, sha256: str) -> None:
        try:
            pack.add(number, thumbnail, sha256)
        finally:
            self._room.release()


class _Pack:
    """One that grows: PNGs one after the other in a file, their places in memory."""

    def __init__(self, folder: Path, chunk: int, token: int) -> None:
        self._path = folder / f"{chunk}.{token}-thumbnails"
        self._of = chunk, token
        self._entries: dict[int, PackEntry] = {}
        self._bytes = 0
        self._is_told = self._is_removed = False
        self._lock = threading.Lock()

    def add(self, number: int, thumbnail: GreyThumbnail | None, sha256: str) -> None:
        with self._lock:
            if self._is_removed or number >= MOST_NUMBERS:
                return
            try:
                self._entries[number] = self._kept(number, thumbnail, sha256)
            except Exception as error:  # noqa: BLE001 - a full disk, or what an image library may say
                self._entries[number] = _without(NOT_MADE)
                if not self._is_told:
                    self._is_told = True
                    log.warning("chunk %d: thumbnails could not be made: %s", self._of[0], error)

    def _kept(self, number: int, thumbnail: GreyThumbnail | None, sha256: str) -> PackEntry:
        if thumbnail is None:
            return _without(NOT_DECODED)
        from worker.decimer.images.thumbnail import encode_png  # Pillow, which the recogniser has loaded

        png = encode_png(thumbnail)
        if len(png) > MOST_BYTES:
            return _without(NOT_MADE)
        with self._path.open("r+b" if self._path.exists() else "wb") as file:
            file.seek(self._bytes)  # what a full disk cut short is written over
            file.write(png)
        entry = PackEntry(
            self._bytes,
            len(png),
            THERE,
            digest_of(*self._of, number, png),
            picture_mark(bytes.fromhex(sha256)),
        )
        self._bytes += len(png)
        return entry

    def write(self, path: Path) -> bool:
        with self._lock:
            if not self._entries or self._is_removed:
                return False
            count = max(self._entries) + 1
            with path.open("wb") as file:
                file.write(pack_header(*self._of, count))
                for number in range(count):
                    file.write(self._entries.get(number, NO_ENTRY).packed())
                if self._bytes:
                    with self._path.open("rb") as pictures:
                        shutil.copyfileobj(pictures, file)
            return True

    def remove(self) -> None:
        with self._lock:
            self._is_removed = True
            if self._path.exists():
                os.unlink(self._path)


def _without(why: int) -> PackEntry:
    return PackEntry(0, 0, why, bytes(8), bytes(8))
