"""The thumbnail of one result, by its chunk and number: the queue says who answered, the pack of that attempt
has it. All that is read is checked; of what does not fit nothing is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, select

from worker.errors import WorkerError
from worker.queue.database.migrate import open_to_read
from worker.queue.schema import ACTIVE, batches, chunks, results
from worker.review.pack import (
    ENTRY,
    HEADER,
    MOST_NUMBERS,
    THERE,
    WHY_NOT,
    PackRefused,
    check_png,
    digest_of,
    entry_place,
    pack_key,
    read_entry,
    read_header,
)
from worker.storage.base import StorageError
from worker.storage.open import open_place
from worker.storage.parts import FilePlace, FileReplaced, NoFile

__all__ = [
    "FilePlace",
    "NoPicture",
    "PictureRefused",
    "ShownPicture",
    "StorageError",
    "open_place",
    "read_picture",
]

_LARGEST = 2**31 - 1


class NoPicture(WorkerError):
    """There is no thumbnail; the message says why."""


class PictureRefused(WorkerError):
    """What is stored is not what it should be; the message says how."""


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """A checked PNG; another one has another mark. `png` is empty where the mark was known already."""

    png: bytes
    mark: str


@dataclass(frozen=True, slots=True)
class _Answered:
    folder: str
    chunk: int
    number: int
    token: int
    sha256: bytes
    is_active: bool

    @property
    def why_not(self) -> str:
        if self.is_active:
            return "its thumbnail is not in storage yet: the chunk is being worked on"
        return "there is none: WORKER_THUMBNAILS was off, or the worker ended before it could store it"


def read_picture(
    database_url: str, place: FilePlace, chunk: int, number: int, known: str = "", patience_s: float = 2
) -> ShownPicture:
    """Without the PNG where its mark is `known`. Raises NoPicture, PictureRefused; QueueError where the
    queue, StorageError where the place cannot be read.
    """
    if not (0 <= chunk <= _LARGEST and 0 <= number < MOST_NUMBERS):
        raise NoPicture("there is no such result")
    with open_to_read(database_url, patience_s) as (database, _):
        answer = database.read(partial(_find, chunk=chunk, number=number))
    if answer is None:
        raise NoPicture("there is no such result")
    if not answer.sha256:
        raise NoPicture("the picture itself could not be had, or ended the worker that had it")
    key = pack_key(answer.folder, answer.token)
    try:
        try:
            return _read(place, key, answer, known)
        except FileReplaced:  # by a later pack of the same attempt
            return _read(place, key, answer, known)
    except NoFile:
        raise NoPicture(answer.why_not) from None
    except PackRefused as refused:
        raise PictureRefused(f"{key}: {refused}") from None


def _find(connection: Connection, chunk: int, number: int) -> _Answered | None:
    query = (
        select(batches.c.name, results.c.token, results.c.sha256, chunks.c.state)
        .join(chunks, chunks.c.id == results.c.chunk_id)
        .join(batches, batches.c.id == chunks.c.batch_id)
        .where(results.c.chunk_id == chunk, results.c.number == number)
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return _Answered(f"{row.name}/{chunk}", chunk, number, row.token, bytes(row.sha256), row.state == ACTIVE)


def _read(place: FilePlace, key: str, answer: _Answered, known: str) -> ShownPicture:
    with place.opened(key) as pack:
        count = read_header(pack.read(0, HEADER.size), answer.chunk, answer.token)
        if answer.number >= count:
            raise NoPicture(answer.why_not)
        packed = pack.read(entry_place(answer.number), ENTRY.size)
        entry = read_entry(packed, count, pack.size, answer.sha256)
        if entry.why != THERE:
            raise NoPicture(WHY_NOT[entry.why])
        mark = entry.digest.hex()
        if mark == known:
            return ShownPicture(b"", mark)
        png = pack.read(entry_place(count) + entry.offset, entry.size)
    if digest_of(answer.chunk, answer.token, answer.number, png) != entry.digest:
        raise PackRefused("the thumbnail is not the one that was written there")
    check_png(png)
    return ShownPicture(png, mark)
