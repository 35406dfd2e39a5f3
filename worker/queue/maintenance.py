"""What time does to the queue: leases run out, deadlines near and pass, what is old may go. And samples of
progress for rates.

Exports are noted as events: they tell whether somebody has the results that would go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Row, and_, case, delete, func, insert, or_, select, text, update

from worker.queue.attempts import end_attempt, record_failure
from worker.queue.database.migrate import fill_piece
from worker.queue.database.sql import db_now
from worker.queue.hosts import add_event
from worker.queue.model import MaintenanceRound
from worker.queue.policy import QueuePolicy, effective_priority
from worker.queue.schema import (
    DONE,
    ENDED,
    FAILED,
    PENDING,
    UNFINISHED,
    attempts,
    batch_wishes,
    batches,
    chunks,
    decisions,
    events,
    hosts,
    images,
    machine_wishes,
    machines,
    results,
    samples,
    submit_sources,
)

MAINTENANCE_LOCK = 7_201_608  # PostgreSQL's advisory lock: one host does it at a time
SAMPLE_EVERY_S = 5
MONTH_S = 32 * 86_400
EXPORTED = "exported"  # an event's kind

EXPIRED = (
    select(chunks)
    .where(text("state = 'active'"), chunks.c.lease_until <= db_now())
    .order_by(chunks.c.id)
    .with_for_update(skip_locked=True)
)
# Chunks whose deadline passed before they were done; failed ones too, cancelled ones not
OVERDUE = and_(chunks.c.due < db_now(), chunks.c.state.in_((*UNFINISHED, FAILED)))
MARK_MISSED = (
    update(chunks).where(text("NOT missed"), OVERDUE).values(missed=True).returning(chunks.c.batch_id)
)
PROGRESS = select(
    func.coalesce(func.sum(chunks.c.images_done), 0),
    func.coalesce(func.sum(case((chunks.c.state == DONE, 1), else_=0)), 0),
)


def maintain(connection: Connection, policy: QueuePolicy) -> MaintenanceRound:
    try_lock = select(func.pg_try_advisory_xact_lock(MAINTENANCE_LOCK))
    if connection.dialect.name == "postgresql" and not connection.execute(try_lock).scalar_one():
        return MaintenanceRound()  # another host is at it
    expired = connection.execute(EXPIRED).all()
    given_up = [expire(connection, policy, row) for row in expired]
    raised = raise_priorities(connection, policy)  # before those that are late are marked
    missed = mark_missed(connection)
    sample(connection)
    fill_piece(connection)  # what workers of an earlier version stored
    return MaintenanceRound(len(expired), raised, missed, sum(given_up))


def expire(connection: Connection, policy: QueuePolicy, row: Row[tuple[object, ...]]) -> bool:
    """Frees the chunk for another host at once; its worker or its host is dead, asleep, or cut off.

    Whether it was given up.
    """
    error = f"lease of {row.worker} on {row.host} ran out"
    add_event(connection, "expired", f"{row.name}: {error}", row.host, row.worker, row.id)
    given_up = record_failure(connection, policy, row, error, backoff=False)
    end_attempt(connection, row.id, row.token, "expired", error, None)
    return given_up


def raise_priorities(connection: Connection, policy: QueuePolicy) -> int:
    risen = effective_priority(policy)
    near = and_(
        text("NOT missed"),  # such a one has been raised as far as it goes
        chunks.c.state == PENDING,
        chunks.c.due <= db_now() + policy.deadline_near_s,
        chunks.c.effective_priority < risen,
    )
    return connection.execute(update(chunks).where(near).values(effective_priority=risen)).rowcount


def mark_missed(connection: Connection) -> int:
    """One event a batch."""
    missed = connection.execute(MARK_MISSED).scalars().all()
    for batch in sorted(set(missed)):
        name = connection.execute(select(batches.c.name).where(batches.c.id == batch)).scalar_one()
        add_event(connection, "missed", f"{name}: {missed.count(batch)} chunks missed their deadline")
    return len(missed)


def sample(connection: Connection) -> None:
    last = connection.execute(select(func.max(samples.c.at))).scalar()
    now = connection.execute(select(db_now())).scalar_one()
    if last is None or last <= now - SAMPLE_EVERY_S:
        images_done, chunks_done = connection.execute(PROGRESS).one()
        values = {"at": now, "images_done": int(images_done), "chunks_done": int(chunks_done)}
        connection.execute(insert(samples).values(values))


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
    """Events, decisions, samples of progress, hosts that have long been silent, machines long gone."""
    limit = db_now() - older_than_s
    times = {
        events: events.c.at,
        decisions: decisions.c.last_at,
        samples: samples.c.at,
        hosts: hosts.c.seen_at,
        machine_wishes: machine_wishes.c.done_at,
        batch_wishes: batch_wishes.c.done_at,
        submit_sources: submit_sources.c.seen_at,
    }
    counts = {
        table.name: connection.execute(delete(table).where(time < limit)).rowcount
        for table, time in times.items()
    }
    long_gone = machines.c.gone_at < db_now() - max(
        older_than_s, MONTH_S
    )  # a month's cost is reckoned by them
    counts[machines.name] = connection.execute(delete(machines).where(long_gone)).rowcount
    return counts


@dataclass(frozen=True, slots=True)
class OldBatch:
    """`exported`: its results were written out after its last chunk had come to an end."""

    name: str
    results: int
    exported: bool


def note_export(connection: Connection, batch: str | None) -> None:
    """The batch's results, or those of all, were written out whole."""
    query = select(batches.c.name).order_by(batches.c.id)
    names = connection.execute(query if batch is None else query.where(batches.c.name == batch)).scalars()
    for name in list(names):
        add_event(connection, EXPORTED, _export_message(name))


def describe_old(connection: Connection, batch_ids: Sequence[int]) -> list[OldBatch]:
    query = (
        select(
            batches.c.name,
            func.coalesce(func.sum(chunks.c.images_done), 0).label("results"),
            func.coalesce(func.max(chunks.c.ended_at), 0).label("ended_at"),
        )
        .outerjoin(chunks, chunks.c.batch_id == batches.c.id)
        .where(batches.c.id.in_(batch_ids))
        .group_by(batches.c.id, batches.c.name)
        .order_by(batches.c.id)
    )
    last = select(events.c.message, func.max(events.c.at)).where(events.c.kind == EXPORTED)
    exported_at: dict[str, float] = dict(connection.execute(last.group_by(events.c.message)).all())
    return [
        OldBatch(row.name, int(row.results), exported_at.get(_export_message(row.name), -1.0) >= row.ended_at)
        for row in connection.execute(query)
    ]


def _export_message(batch: str) -> str:
    return f"batch {batch}: its results were written out"
