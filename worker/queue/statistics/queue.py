"""The queue in figures, for `status`, the collector's `fleet` source and /fleet: read, never written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, or_, select

from worker.queue.chosen import count_doubtful, read_latest
from worker.queue.claims import deadline_of
from worker.queue.database.migrate import open_to_read
from worker.queue.database.sql import db_now, error_kind
from worker.queue.enqueue import count_documents
from worker.queue.hold import read_hold_of
from worker.queue.maintenance import OVERDUE
from worker.queue.model import QueueError, ResultRow
from worker.queue.schema import (
    ACTIVE,
    CANCELLED,
    CONFIDENCE_SINCE,
    DONE,
    FAILED,
    NO_DEADLINE,
    PAGES_SINCE,
    PENDING,
    STATES,
    UNFINISHED,
    attempts,
    batches,
    chunks,
    decisions,
    events,
    results,
    samples,
)
from worker.queue.statistics.figures import (
    SILENT_S,
    BatchFigures,
    ChunkFigures,
    DecisionFigures,
    EventFigures,
    HostFigures,
    QueueFigures,
)
from worker.queue.statistics.hosts import decision_of, read_doubtful_below, read_hosts

__all__ = [
    "SILENT_S",
    "BatchFigures",
    "ChunkFigures",
    "DecisionFigures",
    "EventFigures",
    "HostFigures",
    "QueueError",
    "QueueFigures",
    "ResultRow",
    "read_figures",
]


def read_figures(
    url: str, patience_s: float = 2, last: int = 50, latest: int = 0, doubtful_below: float | None = None
) -> QueueFigures:
    """All of one moment; `last`: how many events, decisions, dead letters; `latest`: how many results; a
    result is doubtful below that least confidence, None: as the hosts have it. Raises QueueUnavailable;
    QueueError.
    """
    with open_to_read(url, patience_s) as (database, revision):
        figures = database.read(lambda connection: count(connection, revision, last, latest, doubtful_below))
        return figures.held_by(read_hold_of(database, revision))


RATE_S = 60  # the rate is that of so long


def total(column: ColumnElement[Any], when: ColumnElement[bool] | None = None) -> ColumnElement[Any]:
    """A sum that is 0 over nothing."""
    return func.coalesce(func.sum(column if when is None else case((when, column), else_=0)), 0)


DATED = chunks.c.due < NO_DEADLINE
LATE = or_(chunks.c.missed, OVERDUE)  # also where no host is left that would mark it
OPEN = and_(DATED, ~LATE, chunks.c.state.in_(UNFINISHED))
# One row a batch and state: everything that is a count of chunks or images
COUNTS = select(
    chunks.c.batch_id,
    chunks.c.state,
    func.count().label("chunks"),
    total(chunks.c.images_total).label("images"),
    total(chunks.c.images_done).label("with_result"),
    total(chunks.c.images_failed).label("with_error"),
    func.count(case((chunks.c.paused, 1))).label("paused"),
    func.count(case((LATE, 1))).label("missed"),
    func.count(case((and_(DATED, ~chunks.c.missed, chunks.c.state == DONE), 1))).label("met"),
    func.count(case((OPEN, 1))).label("open"),
    func.min(case((OPEN, chunks.c.due))).label("next_deadline"),
    func.min(case((chunks.c.state == PENDING, chunks.c.created_at))).label("oldest"),
    total(chunks.c.cpu_s).label("cpu_s"),
    func.max(chunks.c.ended_at).label("ended"),
).group_by(chunks.c.batch_id, chunks.c.state)
FAILURES = (
    select(error_kind(results.c.error), func.count())
    .where(results.c.error.is_not(None))
    .group_by(error_kind(results.c.error))
)
OUTCOMES = (
    select(attempts.c.outcome, func.count())
    .where(attempts.c.outcome.is_not(None))
    .group_by(attempts.c.outcome)
)
# Only columns of the oldest schema that is read
BATCHES = select(
    batches.c.id,
    batches.c.name,
    batches.c.source,
    batches.c.priority,
    batches.c.deadline,
    batches.c.model,
    batches.c.paused,
    batches.c.created_at,
)
CHUNKS = select(
    chunks.c.id,
    chunks.c.name,
    chunks.c.state,
    chunks.c.effective_priority,
    chunks.c.due,
    chunks.c.worker,
    chunks.c.host,
    chunks.c.token,
    chunks.c.images_total,
    chunks.c.images_done,
    chunks.c.started_at,
    chunks.c.error,
    batches.c.name.label("batch"),
).join(batches, batches.c.id == chunks.c.batch_id)


def count(connection: Connection, revision: str, last: int, latest: int, below: float | None) -> QueueFigures:
    now = connection.execute(select(db_now())).scalar_one()
    counts = connection.execute(COUNTS).all()
    below = read_doubtful_below(connection) if below is None else below
    doubtful = count_doubtful(connection, below if revision >= CONFIDENCE_SINCE else None)
    oldest = min((row.oldest for row in counts if row.oldest is not None), default=None)
    documents = count_documents(connection) if revision >= PAGES_SINCE else {}
    notes = [decision_of(row) for row in connection.execute(newest(decisions, decisions.c.id, last))]
    return QueueFigures(
        at=now,
        chunks=chunks_by_state(counts),
        paused=sum(row.paused for row in counts if row.state == PENDING),
        images=images_by_status(counts),
        images_per_s=read_rate(connection, now),
        oldest_pending_s=None if oldest is None else max(0.0, now - oldest),
        deadlines={key: sum(getattr(row, key) for row in counts) for key in ("met", "missed", "open")},
        next_deadline=min(
            (row.next_deadline for row in counts if row.next_deadline is not None), default=None
        ),
        failures=dict(connection.execute(FAILURES).all()),
        attempts=dict(connection.execute(OUTCOMES).all()),
        batches=read_batches(connection, counts, doubtful, documents),
        active=read_chunks(connection, ACTIVE, CHUNKS.order_by(chunks.c.id)),
        dead=read_chunks(connection, FAILED, CHUNKS.order_by(chunks.c.ended_at.desc()).limit(last)),
        hosts=read_hosts(connection, now, revision),
        events=tuple(
            EventFigures(row.at, row.kind, row.message, row.host, row.worker, row.chunk_id)
            for row in connection.execute(newest(events, events.c.id, last))
        ),
        decisions=tuple(notes),
        documents=sum(documents.values()),
        doubtful_below=below,
        latest=read_latest(connection, latest, is_newest=revision >= PAGES_SINCE),
    )


def chunks_by_state(counts: Sequence[Any]) -> Mapping[str, int]:
    return {state: sum(row.chunks for row in counts if row.state == state) for state in STATES}


def images_by_status(counts: Sequence[Any]) -> Mapping[str, int]:
    """An image with a result is done or failed; one without is what its chunk is."""
    left = {
        state: sum(int(row.images - row.with_result) for row in counts if row.state == state)
        for state in STATES
    }
    errors = sum(int(row.with_error) for row in counts)
    return {
        PENDING: left[PENDING],
        ACTIVE: left[ACTIVE],
        DONE: sum(int(row.with_result) for row in counts) - errors,
        FAILED: errors + left[FAILED],
        CANCELLED: left[CANCELLED],
    }


def read_rate(connection: Connection, now: float) -> float:
    """Images a second between the newest sample and the oldest of the last minute; 0 when nobody samples any
    more.
    """
    recent = select(samples).where(samples.c.at >= now - RATE_S).order_by(samples.c.at)
    rows = connection.execute(recent).all()
    if len(rows) < 2:
        return 0.0
    first, last = rows[0], rows[-1]
    return float(max(0, last.images_done - first.images_done) / (last.at - first.at))


def read_batch(connection: Connection, batch_id: int, doubtful_below: float) -> BatchFigures | None:
    """None where there is no such batch. Of a schema since PAGES_SINCE."""
    counts = connection.execute(COUNTS.where(chunks.c.batch_id == batch_id)).all()
    doubtful = count_doubtful(connection, doubtful_below, batch_id)
    query = BATCHES.where(batches.c.id == batch_id)
    return next(iter(read_batches(connection, counts, doubtful, count_documents(connection), query)), None)


def read_batches(
    connection: Connection,
    counts: Sequence[Any],
    doubtful: Mapping[int, int],
    documents: Mapping[int, int],
    query: Select[Any] = BATCHES,
) -> tuple[BatchFigures, ...]:
    by_batch: dict[int, list[Any]] = {}
    for row in counts:
        by_batch.setdefault(row.batch_id, []).append(row)
    return tuple(
        BatchFigures(
            name=batch.name,
            source=batch.source,
            priority=batch.priority,
            deadline=batch.deadline,
            model=batch.model,
            paused=batch.paused,
            created_at=batch.created_at,
            chunks=chunks_by_state(by_batch.get(batch.id, [])),
            images=images_by_status(by_batch.get(batch.id, [])),
            missed=sum(row.missed for row in by_batch.get(batch.id, [])),
            met=sum(row.met for row in by_batch.get(batch.id, [])),
            cpu_s=sum(row.cpu_s for row in by_batch.get(batch.id, [])),
            doubtful=doubtful.get(batch.id, 0),
            ended_at=ended_of(by_batch.get(batch.id, [])),
            documents=documents.get(batch.id, 0),
        )
        for batch in connection.execute(query.order_by(batches.c.id.desc()))
    )


def ended_of(counts: Sequence[Any]) -> float | None:
    """When the last chunk ended; None while there is one left."""
    if any(row.chunks for row in counts if row.state in UNFINISHED):
        return None
    return max((row.ended for row in counts if row.ended is not None), default=None)


def read_chunks(connection: Connection, state: str, query: Select[Any]) -> tuple[ChunkFigures, ...]:
    return tuple(
        ChunkFigures(
            id=row.id,
            name=row.name,
            batch=row.batch,
            state=row.state,
            priority=row.effective_priority,
            deadline=deadline_of(row.due),
            worker=row.worker,
            host=row.host,
            attempt=row.token,
            images_total=row.images_total,
            images_done=row.images_done,
            started_at=row.started_at,
            error=row.error,
        )
        for row in connection.execute(query.where(chunks.c.state == state))
    )


def newest(table: Any, order: ColumnElement[Any], last: int) -> Select[Any]:
    return select(table).order_by(order.desc()).limit(last)
