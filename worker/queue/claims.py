"""A worker takes a chunk of those that are left, keeps it, and stores results.

Each function takes the connection of a transaction that its caller began; attempts.py has how a claim ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Row,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    text,
    true,
    update,
)

from worker.queue.database.sql import db_now
from worker.queue.hold import is_held
from worker.queue.model import NO_NEED, Claim, Lease, LeaseLost, Outstanding, QueuedImage, Result, StatedNeed
from worker.queue.policy import QueuePolicy
from worker.queue.results import add_results
from worker.queue.schema import (
    ACTIVE,
    NO_DEADLINE,
    PENDING,
    UNFINISHED,
    attempts,
    batches,
    chunks,
    images,
    results,
)

NO_LIMIT = 2**53  # of memory and CPUs: more than any worker has
CLAIM_LOCK = 7_201_607  # PostgreSQL's advisory lock that makes counting and claiming one step

# The most urgent chunk that may be claimed, of those the nearest deadline, of those the oldest: the first of
# the index `chunks_to_claim`, whose condition is repeated in its own words. Rows that others are claiming are
# passed over.
FIRST_CHUNK = (
    select(chunks.c.id)
    .where(
        text("state = 'pending' AND NOT paused"),
        ~is_held(),
        chunks.c.not_before <= db_now(),
        or_(chunks.c.model.is_(None), chunks.c.model == bindparam("of_model")),
        or_(chunks.c.memory_mb.is_(None), chunks.c.memory_mb <= bindparam("has_memory_mb", type_=BigInteger)),
        or_(chunks.c.cpus.is_(None), chunks.c.cpus <= bindparam("has_cpus", type_=Double)),
    )
    .order_by(chunks.c.effective_priority.desc(), chunks.c.due, chunks.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
# Takes it. The state is asked for again, so that a chunk changes hands once whatever the database's locks do.
TAKE_CHUNK = (
    update(chunks)
    .where(chunks.c.id == FIRST_CHUNK, chunks.c.state == PENDING)
    .values(
        state=ACTIVE,
        token=chunks.c.token + 1,
        lease_until=db_now() + bindparam("lease_s"),
        worker=bindparam("by_worker"),
        host=bindparam("on_host"),
        engine=bindparam("with_engine"),
        started_at=func.coalesce(chunks.c.started_at, db_now()),
    )
    .returning(chunks)
)
ADD_ATTEMPT = insert(attempts).values(claimed_at=db_now())
BATCH_OF = select(batches.c.name, batches.c.source).where(batches.c.id == bindparam("batch"))
# Images of a chunk that have no result, quarantined ones first
REMAINING = (
    select(images.c.number, images.c.name, images.c.quarantined, images.c.page)
    .where(
        images.c.chunk_id == bindparam("chunk"),
        ~exists().where(results.c.chunk_id == images.c.chunk_id, results.c.number == images.c.number),
    )
    .order_by(images.c.quarantined.desc(), images.c.number)
)
COUNT_ACTIVE = (
    select(func.count()).select_from(chunks).where(literal_column("state") == literal_column("'active'"))
)

# A chunk as the claim left it, its lease running: the condition of everything its holder writes
HELD = and_(
    chunks.c.id == bindparam("chunk"),
    chunks.c.token == bindparam("held_token"),
    chunks.c.state == ACTIVE,
    chunks.c.lease_until > db_now(),
)
RENEW = update(chunks).where(HELD).values(lease_until=db_now() + bindparam("lease_s"))


def count_active(connection: Connection) -> int:
    return connection.execute(COUNT_ACTIVE).scalar_one()


def readable_with(model: str | None) -> ColumnElement[bool]:
    """Chunks that workers with this model may take; all where it is None, which is: not known."""
    return true() if model is None else or_(chunks.c.model.is_(None), chunks.c.model == model)


def outstanding(connection: Connection, model: str | None = None) -> Outstanding:
    readable = case((readable_with(model), 1), else_=0)
    query = (
        select(
            chunks.c.state,
            chunks.c.paused,
            readable.label("readable"),
            chunks.c.memory_mb,
            chunks.c.cpus,
            func.count().label("chunks"),
            (func.min(chunks.c.not_before) - db_now()).label("wait_s"),
        )
        .where(chunks.c.state.in_(UNFINISHED))
        .group_by(chunks.c.state, chunks.c.paused, readable, chunks.c.memory_mb, chunks.c.cpus)
    )
    rows = connection.execute(query).all()
    is_paused = connection.execute(select(is_held())).scalar_one()
    waiting = [row for row in rows if row.state == PENDING and not (row.paused or is_paused)]
    pending = [row for row in waiting if row.readable]
    return Outstanding(
        pending=sum(row.chunks for row in pending),
        active=sum(row.chunks for row in rows if row.state == ACTIVE),
        paused=sum(row.chunks for row in rows if row.state == PENDING and (row.paused or is_paused)),
        unreadable=sum(row.chunks for row in waiting if not row.readable),
        next_in_s=max(0.0, min(row.wait_s for row in pending)) if pending else None,
        stated=tuple(
            (StatedNeed(row.memory_mb, row.cpus), row.chunks)
            for row in pending
            if row.memory_mb is not None or row.cpus is not None
        ),
    )


def take_chunk(
    connection: Connection,
    policy: QueuePolicy,
    worker: str,
    host: str,
    engine: str,
    model: str,
    max_active: int | None,
    room: StatedNeed = NO_NEED,
) -> Row[Any] | None:
    """The chunk's row with its new token."""
    if max_active is not None:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(CLAIM_LOCK)))
        if count_active(connection) >= max_active:
            return None
    names = {"by_worker": worker, "on_host": host, "with_engine": engine}
    carried = {
        "has_memory_mb": NO_LIMIT if room.memory_mb is None else room.memory_mb,
        "has_cpus": NO_LIMIT if room.cpus is None else room.cpus,
    }
    row = connection.execute(
        TAKE_CHUNK, {"lease_s": policy.lease_s, "of_model": model, **names, **carried}
    ).one_or_none()
    if row is not None:
        attempt = {"chunk_id": row.id, "token": row.token, "worker": worker, "host": host}
        connection.execute(ADD_ATTEMPT, attempt | {"engine": engine, "model": model})
    return row


def read_claim(connection: Connection, row: Row[Any], lease: Lease) -> Claim:
    batch = connection.execute(BATCH_OF, {"batch": row.batch_id}).one()
    remaining = connection.execute(REMAINING, {"chunk": row.id})
    return Claim(
        chunk=row.id,
        token=row.token,
        name=row.name,
        batch=batch.name,
        source=batch.source,
        directory=row.directory,
        attempt=row.token,
        priority=row.effective_priority,
        deadline=deadline_of(row.due),
        images_total=row.images_total,
        images=tuple(QueuedImage(*image) for image in remaining),
        lease=lease,
    )


def renew(connection: Connection, policy: QueuePolicy, claim: Claim) -> None:
    if connection.execute(RENEW, holder(claim) | {"lease_s": policy.lease_s}).rowcount != 1:
        raise lost(claim)


def store(connection: Connection, policy: QueuePolicy, claim: Claim, given: Sequence[Result]) -> None:
    """The renewal comes first: it locks the chunk's row, so that what follows is the holder's alone."""
    renew(connection, policy, claim)
    add_results(connection, claim.chunk, claim.token, given)


def holder(claim: Claim) -> dict[str, int]:
    return {"chunk": claim.chunk, "held_token": claim.token}


def lost(claim: Claim) -> LeaseLost:
    return LeaseLost(f"chunk {claim.name}: the lease with token {claim.token} is over")


def deadline_of(due: float) -> float | None:
    return None if due >= NO_DEADLINE else due
