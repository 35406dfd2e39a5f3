"""What a batch took: when it was first claimed, its claims, time, memory, and what it cost. Read, never
written.

A machine's price is charged while it has work: to each batch by the time its chunks were held there, of the
time that all chunks were. Idle machines are charged to no batch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, case, func, select

from worker.queue.database.migrate import open_to_read
from worker.queue.database.sql import error_kind, read_now
from worker.queue.schema import MACHINES_SINCE, attempts, batches, chunks, hosts, machines, results
from worker.queue.statistics.figures import Forecast, forecast, in_order, left_of

__all__ = [
    "NOTHING_TAKEN",
    "BatchHistory",
    "Forecast",
    "count_failures",
    "forecast",
    "in_order",
    "left_of",
    "read_batch_histories",
    "read_histories",
]


@dataclass(frozen=True, slots=True)
class BatchHistory:
    """Times are seconds since the epoch; sums are over all attempts."""

    first_claimed_at: float | None
    attempts: int
    retries: int  # claims of a chunk after its first
    wall_s: float
    peak_memory_bytes: int  # of one worker
    with_error: int  # results
    cost: float | None  # in the currency of the prices; None: nobody says a price
    is_cost_whole: bool  # else some of its time was spent where no price is known


NOTHING_TAKEN = BatchHistory(None, 0, 0, 0.0, 0, 0, None, True)  # of a batch without chunks


def read_batch_histories(
    url: str, names: Collection[str], patience_s: float = 2
) -> Mapping[str, BatchHistory]:
    """By name, of those that are there. Raises QueueUnavailable; QueueError."""
    with open_to_read(url, patience_s) as (database, revision):

        def read(connection: Connection) -> Mapping[str, BatchHistory]:
            ids = _ids(connection, names)
            found = read_histories(connection, ids.values(), revision)
            return {name: found[batch_id] for name, batch_id in ids.items() if batch_id in found}

        return database.read(read)


def _ids(connection: Connection, names: Collection[str]) -> dict[str, int]:
    query = select(batches.c.name, batches.c.id).where(batches.c.name.in_(names))
    return {row.name: row.id for row in connection.execute(query)}


def read_histories(
    connection: Connection, batch_ids: Collection[int], revision: str
) -> dict[int, BatchHistory]:
    """By id, of batches that have a chunk."""
    ids = list(batch_ids)
    now = read_now(connection)
    used = (
        select(
            chunks.c.batch_id,
            func.sum(chunks.c.wall_s).label("wall_s"),
            func.max(chunks.c.peak_memory_bytes).label("peak"),
            func.sum(chunks.c.images_failed).label("with_error"),
            func.count(case((chunks.c.token > 0, 1))).label("claimed"),
        )
        .where(chunks.c.batch_id.in_(ids))
        .group_by(chunks.c.batch_id)
    )
    claims = (
        select(
            chunks.c.batch_id,
            func.min(attempts.c.claimed_at).label("first"),
            func.count().label("attempts"),
        )
        .join(chunks, chunks.c.id == attempts.c.chunk_id)
        .where(chunks.c.batch_id.in_(ids))
        .group_by(chunks.c.batch_id)
    )
    of_claims = {row.batch_id: row for row in connection.execute(claims)}
    costs = _costs(connection, now, revision)
    found = {}
    for row in connection.execute(used):
        claimed = of_claims.get(row.batch_id)
        cost, is_whole = costs.get(row.batch_id, (0.0, True)) if costs is not None else (None, True)
        count = claimed.attempts if claimed else 0
        found[row.batch_id] = BatchHistory(
            first_claimed_at=claimed.first if claimed else None,
            attempts=count,
            retries=max(0, count - row.claimed),
            wall_s=float(row.wall_s),
            peak_memory_bytes=int(row.peak),
            with_error=int(row.with_error),
            cost=cost,
            is_cost_whole=is_whole,
        )
    return found


def count_failures(connection: Connection, batch_id: int) -> dict[str, int]:
    """Results of a batch by kind of error."""
    kind = error_kind(results.c.error)
    query = (
        select(kind, func.count())
        .join(chunks, chunks.c.id == results.c.chunk_id)
        .where(results.c.error.is_not(None), chunks.c.batch_id == batch_id)
        .group_by(kind)
    )
    return dict(connection.execute(query).all())


def _costs(connection: Connection, now: float, revision: str) -> dict[int, tuple[float, bool]] | None:
    """By batch: what it cost, and whether that is all of it. None where no price is known."""
    prices = _prices(connection, revision)
    if not prices:
        return None
    rows = connection.execute(_held(now)).all()
    busy_s: dict[str, float] = {}
    held_s: dict[str, float] = {}
    for row in rows:
        busy_s[row.host] = busy_s.get(row.host, 0.0) + row.busy_s
        held_s[row.host] = held_s.get(row.host, 0.0) + row.held_s
    found: dict[int, tuple[float, bool]] = {}
    for row in rows:
        cost, is_whole = found.get(row.batch_id, (0.0, True))
        price = prices.get(row.host)
        if price is None:
            is_whole = False
        elif held_s[row.host] > 0:
            cost += price / 3600 * busy_s[row.host] * row.held_s / held_s[row.host]
        found[row.batch_id] = cost, is_whole
    return found


def _prices(connection: Connection, revision: str) -> dict[str, float]:
    """An hour, by host: as the host itself says it, else as its group of machines does."""
    found: dict[str, float] = {}
    if revision >= MACHINES_SINCE:
        priced = select(machines.c.name, machines.c.price_per_hour).where(machines.c.price_per_hour > 0)
        found = {row.name: row.price_per_hour for row in connection.execute(priced)}
    for row in connection.execute(select(hosts.c.name, hosts.c.figures)):
        price = row.figures.get("price_per_hour")
        if isinstance(price, int | float):
            found[row.name] = price
    return found


def _held(now: float) -> Any:
    """By host and batch: the time for which chunks were held, and the part of it that no earlier claim on the
    host covers, which sums to the time that the host had work.
    """
    ended = func.coalesce(attempts.c.ended_at, now)
    before = func.max(ended).over(
        partition_by=attempts.c.host, order_by=(attempts.c.claimed_at, attempts.c.chunk_id), rows=(None, -1)
    )
    span = select(
        attempts.c.host,
        chunks.c.batch_id,
        attempts.c.claimed_at.label("begun"),
        ended.label("ended"),
        before.label("before"),
    ).join(chunks, chunks.c.id == attempts.c.chunk_id)
    each = span.subquery()
    begun = case((each.c.before > each.c.begun, each.c.before), else_=each.c.begun)
    alone = case((each.c.ended > begun, each.c.ended - begun), else_=0.0)
    return select(
        each.c.host,
        each.c.batch_id,
        func.sum(each.c.ended - each.c.begun).label("held_s"),
        func.sum(alone).label("busy_s"),
    ).group_by(each.c.host, each.c.batch_id)
