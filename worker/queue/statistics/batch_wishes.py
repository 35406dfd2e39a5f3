"""What is asked of batches from outside, for the page and the command line: read, never written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from worker.queue.batch_wishes.wishes import BatchWish, batch_wish_of
from worker.queue.batch_wishes.work import TRIES, read_sources
from worker.queue.database.migrate import open_to_read
from worker.queue.database.sql import read_now
from worker.queue.hold import read_hold
from worker.queue.model import QueueError
from worker.queue.schema import WISHES_SINCE, batch_id_of, batch_wishes, batches, chunks
from worker.queue.statistics.queue import BATCHES, COUNTS, BatchFigures, read_batches

__all__ = ["AskedOfBatches", "QueueError", "find_batch", "find_wish", "read_asked"]

RECENT_S = 3600.0  # wishes that are at an end are told of for so long
LAST = 100


@dataclass(frozen=True, slots=True)
class AskedOfBatches:
    """`wishes`: open ones and those at an end within RECENT_S, the newest first, at most LAST; `sources`:
    what may be submitted, by host whose supervisor is there.
    """

    at: float
    wishes: tuple[BatchWish, ...]
    sources: Mapping[str, tuple[str, ...]]
    is_held: bool  # the whole fleet

    def state_of(self, wish: BatchWish) -> str:
        """How it stands, for people; its time of an end not included."""
        if wish.done_at is not None:
            return wish.outcome
        if wish.lease_until > self.at:
            return f"being submitted by {wish.holder}{wish.progress and f': {wish.progress}'}"
        if not self.sources:
            return "waits: no supervisor that carries out wishes is running"
        if wish.kind == "submit" and self.is_held:
            return "waits: the whole fleet is held"
        if wish.kind == "submit" and not any(self.sources.values()):
            return "waits: no running supervisor has WORKER_SUBMIT_SOURCES set"
        if wish.faults:
            return f"is tried again after a fault ({wish.faults} of {TRIES}): {wish.progress}"
        return "waits for a supervisor's next round"


def read_asked(url: str, patience_s: float = 2) -> AskedOfBatches | None:
    """All of one moment. None of a queue that is older than this. Raises QueueUnavailable; QueueError when
    there is no queue.
    """
    with open_to_read(url, patience_s) as (database, revision):
        if revision < WISHES_SINCE:
            return None
        return database.read(_read)


def _read(connection: Connection) -> AskedOfBatches:
    now = read_now(connection)
    recent = or_(batch_wishes.c.done_at.is_(None), batch_wishes.c.done_at >= now - RECENT_S)
    query = select(batch_wishes).where(recent).order_by(batch_wishes.c.id.desc()).limit(LAST)
    wishes = tuple(batch_wish_of(row) for row in connection.execute(query))
    return AskedOfBatches(now, wishes, read_sources(connection), read_hold(connection) is not None)


def find_wish(
    url: str, number: int | None = None, asked_by: str = "", key: str = "", patience_s: float = 2
) -> tuple[BatchWish, str] | None:
    """The wish of that number, or else of that asker and key, with how it stands. Raises QueueUnavailable,
    QueueError.
    """
    is_it = batch_wishes.c.id == number
    if number is None:
        is_it = (batch_wishes.c.asked_by == asked_by) & (batch_wishes.c.request_key == key)

    def read(connection: Connection) -> tuple[BatchWish, str] | None:
        row = connection.execute(select(batch_wishes).where(is_it)).one_or_none()
        if row is None:
            return None
        wish = batch_wish_of(row)
        return wish, _read(connection).state_of(wish)

    with open_to_read(url, patience_s) as (database, revision):
        return None if revision < WISHES_SINCE else database.read(read)


def find_batch(url: str, name: str, patience_s: float = 2) -> BatchFigures | None:
    """Without counts of doubtful results and unopened files. Raises QueueUnavailable, QueueError."""

    def read(connection: Connection) -> BatchFigures | None:
        number = batch_id_of(connection, name)
        if number is None:
            return None
        counts = connection.execute(COUNTS.where(chunks.c.batch_id == number)).all()
        return read_batches(connection, counts, {}, {}, BATCHES.where(batches.c.id == number))[0]

    with open_to_read(url, patience_s) as (database, _):
        return database.read(read)
