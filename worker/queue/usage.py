"""What the queue knows of itself: what is left to do, what work needs, what there is to read."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from worker.queue.errors import Refused
from worker.queue.model import Learned, Outstanding
from worker.queue.schema import ACTIVE, DONE, ENDED, PENDING, UNFINISHED, attempts, batches, chunks
from worker.queue.sql import db_now

LEARNED_FROM = 50  # attempts


def outstanding(connection: Connection) -> Outstanding:
    query = (
        select(chunks.c.state, chunks.c.paused, func.count(), func.min(chunks.c.not_before) - db_now())
        .where(chunks.c.state.in_(UNFINISHED))
        .group_by(chunks.c.state, chunks.c.paused)
    )
    rows = {(state, bool(paused)): (count, wait) for state, paused, count, wait in connection.execute(query)}
    pending, wait_s = rows.get((PENDING, False), (0, None))
    return Outstanding(
        pending=pending,
        active=sum(count for (state, _), (count, _) in rows.items() if state == ACTIVE),
        paused=rows.get((PENDING, True), (0, None))[0],
        next_in_s=None if wait_s is None else max(0.0, wait_s),
    )


def learned(connection: Connection, engine: str) -> Learned | None:
    """From the last attempts that finished their chunk: the largest peak, and CPU time by wall time of them
    all.
    """
    last = (
        select(attempts.c.peak_memory_bytes, attempts.c.cpu_s, attempts.c.wall_s)
        .where(attempts.c.engine == engine, attempts.c.outcome == DONE, attempts.c.wall_s > 0)
        .order_by(attempts.c.ended_at.desc())
        .limit(LEARNED_FROM)
        .subquery()
    )
    query = select(func.max(last.c.peak_memory_bytes), func.sum(last.c.cpu_s), func.sum(last.c.wall_s))
    peak, cpu_s, wall_s = connection.execute(query).one()
    return Learned(int(peak), cpu_s / wall_s) if peak else None


def chunks_with_results(connection: Connection, batch: str | None) -> list[tuple[int, int]]:
    """All or a batch's, in order, with how many results there are."""
    query = select(chunks.c.id, chunks.c.images_done).where(chunks.c.images_done > 0).order_by(chunks.c.id)
    if batch is not None:
        found = connection.execute(select(batches.c.id).where(batches.c.name == batch)).scalar_one_or_none()
        if found is None:
            raise Refused(f"there is no batch {batch}")
        query = query.where(chunks.c.batch_id == found)
    return [(chunk, count) for chunk, count in connection.execute(query)]


def ended_files(connection: Connection) -> list[tuple[str, str | None]]:
    query = (
        select(batches.c.name, chunks.c.id, chunks.c.file)
        .join(batches, batches.c.id == chunks.c.batch_id)
        .where(chunks.c.state.in_(ENDED))
        .order_by(chunks.c.id)
    )
    return [(f"{batch}/{chunk}", file) for batch, chunk, file in connection.execute(query)]
