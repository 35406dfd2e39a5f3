"""What the queue knows of itself: what is left to do, and what work needs."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from worker.queue.model import Outstanding, UsageStatistics
from worker.queue.schema import ACTIVE, DONE, PENDING, UNFINISHED, attempts, chunks
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


def usage_statistics(connection: Connection, engine: str) -> UsageStatistics | None:
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
    return UsageStatistics(int(peak), cpu_s / wall_s) if peak else None
