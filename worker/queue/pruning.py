"""Deletes what is older than a set age, in portions, so that nobody waits long for a lock."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, delete, or_, select

from worker.queue.schema import (
    ENDED,
    attempts,
    batches,
    chunks,
    decisions,
    events,
    hosts,
    images,
    results,
    samples,
)
from worker.queue.sql import db_now

PORTION = 50  # chunks in a transaction


def old_batches(connection: Connection, older_than_s: float) -> list[int]:
    """All of whose chunks have been at an end for so long; an empty one counts from when it was made."""
    limit = db_now() - older_than_s
    young = or_(chunks.c.state.not_in(ENDED), chunks.c.ended_at >= limit)
    busy = select(chunks.c.batch_id).where(young)
    query = select(batches.c.id).where(batches.c.created_at < limit, batches.c.id.not_in(busy))
    return list(connection.execute(query).scalars())


def some_chunks(connection: Connection, batch_ids: Sequence[int]) -> list[int]:
    query = select(chunks.c.id).where(chunks.c.batch_id.in_(batch_ids)).limit(PORTION)
    return list(connection.execute(query).scalars())


def delete_chunks(connection: Connection, chunk_ids: Sequence[int]) -> dict[str, int]:
    counts = {}
    for table in (results, attempts, images):
        counts[table.name] = connection.execute(delete(table).where(table.c.chunk_id.in_(chunk_ids))).rowcount
    counts["chunks"] = connection.execute(delete(chunks).where(chunks.c.id.in_(chunk_ids))).rowcount
    return counts


def delete_batches(connection: Connection, batch_ids: Sequence[int]) -> dict[str, int]:
    """Those that are still empty."""
    filled = select(chunks.c.batch_id)
    gone = and_(batches.c.id.in_(batch_ids), batches.c.id.not_in(filled))
    return {"batches": connection.execute(delete(batches).where(gone)).rowcount}


def delete_notes(connection: Connection, older_than_s: float) -> dict[str, int]:
    """Events, decisions, samples of progress, and hosts that have long been silent."""
    limit = db_now() - older_than_s
    times = {
        events: events.c.at,
        decisions: decisions.c.last_at,
        samples: samples.c.at,
        hosts: hosts.c.seen_at,
    }
    return {
        table.name: connection.execute(delete(table).where(time < limit)).rowcount
        for table, time in times.items()
    }
