"""The life of a batch's chunks: who claimed each and when, how that ended, what it waits for. A page at a
time, read, never written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from worker.queue.claims import deadline_of
from worker.queue.database.migrate import open_to_read
from worker.queue.database.sql import read_now
from worker.queue.schema import PAGES_SINCE, STATES, attempts, batch_id_of, chunks

CHUNK_STATES = STATES
ATTEMPTS_SHOWN = 10  # of one chunk, the last ones


@dataclass(frozen=True, slots=True)
class ChunkAttempt:
    """`outcome` is None while it goes on: done released failed crashed expired cancelled."""

    worker: str
    host: str
    claimed_at: float
    ended_at: float | None
    outcome: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ChunkLife:
    id: int
    name: str
    state: str
    images: int
    images_done: int
    images_failed: int
    is_paused: bool
    not_before: float  # no claim earlier, after a fault
    deadline: float | None
    ended_at: float | None
    error: str | None
    claims: int
    attempts: tuple[ChunkAttempt, ...]  # the last ATTEMPTS_SHOWN, the newest first


@dataclass(frozen=True, slots=True)
class ChunksPage:
    """`after` begins the next page; None on the last."""

    at: float
    chunks: tuple[ChunkLife, ...]
    after: int | None


def read_chunks_page(
    url: str, batch: str, state: str, after: int, count: int, patience_s: float = 2
) -> ChunksPage | None:
    """Of one of CHUNK_STATES, or "" for all; in the order of their making. None where there is no such batch.
    Raises QueueUnavailable; QueueError when there is no queue, or one too old.
    """

    def read(connection: Connection) -> ChunksPage | None:
        batch_id = batch_id_of(connection, batch)
        if batch_id is None:
            return None
        wanted = select(chunks).where(chunks.c.batch_id == batch_id, chunks.c.id > after)
        if state:
            wanted = wanted.where(chunks.c.state == state)
        rows = connection.execute(wanted.order_by(chunks.c.id).limit(count + 1)).all()
        shown = rows[:count]
        lives = _attempts(connection, [row.id for row in shown])
        return ChunksPage(
            at=read_now(connection),
            chunks=tuple(_life(row, lives.get(row.id, [])) for row in shown),
            after=shown[-1].id if len(rows) > count else None,
        )

    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        return database.read(read)


def _attempts(connection: Connection, ids: Sequence[int]) -> dict[int, list[ChunkAttempt]]:
    """By chunk, the newest first."""
    order = (attempts.c.chunk_id, attempts.c.token.desc())
    query = (
        select(attempts)
        .join(chunks, chunks.c.id == attempts.c.chunk_id)
        .where(attempts.c.chunk_id.in_(ids), attempts.c.token > chunks.c.token - ATTEMPTS_SHOWN)
    )
    found: dict[int, list[ChunkAttempt]] = {}
    for row in connection.execute(query.order_by(*order)):
        found.setdefault(row.chunk_id, []).append(
            ChunkAttempt(row.worker, row.host, row.claimed_at, row.ended_at, row.outcome, row.error)
        )
    return found


def _life(row: Any, lived: Sequence[ChunkAttempt]) -> ChunkLife:
    return ChunkLife(
        id=row.id,
        name=row.name,
        state=row.state,
        images=row.images_total,
        images_done=row.images_done,
        images_failed=row.images_failed,
        is_paused=row.paused,
        not_before=row.not_before,
        deadline=deadline_of(row.due),
        ended_at=row.ended_at,
        error=row.error,
        claims=row.token,
        attempts=tuple(lived),
    )
