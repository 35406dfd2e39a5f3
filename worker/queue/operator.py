"""An operator's commands on a batch or one of its chunks; each gives how many chunks it changed. `by` is who
asked, where that is another than the user of this process.
"""

from __future__ import annotations

import socket

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from cloud_monitor.system.process import acting_user
from cloud_monitor.system.text import counted
from worker.queue.attempts import UNCLAIMED
from worker.queue.database.sql import db_now
from worker.queue.enqueue import apply_to_chunks
from worker.queue.hosts import add_event
from worker.queue.model import QueueRefused, QueueTarget
from worker.queue.policy import QueuePolicy
from worker.queue.schema import (
    ACTIVE,
    CANCELLED,
    DONE,
    ENDED,
    FAILED,
    PENDING,
    UNFINISHED,
    attempts,
    batch_id_of,
    batch_wishes,
    batches,
    chunks,
    images,
    results,
)

AFRESH = UNCLAIMED | {
    "state": PENDING,
    "faults": 0,
    "not_before": 0,
    "error": None,
    "file": None,
    "ended_at": None,
}


def retry(connection: Connection, target: QueueTarget, failed_images: bool, by: str = "") -> int:
    chosen = find(connection, target)
    revived = and_(chosen, chunks.c.state.in_((FAILED, CANCELLED)))
    ids = list(connection.execute(select(chunks.c.id).where(revived).with_for_update()).scalars())
    if failed_images:
        with_errors = exists().where(results.c.chunk_id == chunks.c.id, results.c.error.is_not(None))
        done = and_(chosen, chunks.c.state.in_(ENDED), with_errors)
        more = list(connection.execute(select(chunks.c.id).where(done).with_for_update()).scalars())
        for chunk in more:
            drop_failed(connection, chunk)
        ids = sorted({*ids, *more})
    for chunk in ids:
        connection.execute(update(chunks).where(chunks.c.id == chunk).values(AFRESH))
        connection.execute(update(images).where(images.c.chunk_id == chunk).values(crashes=0))
    return noted(connection, "retry", target, len(ids), by)


def drop_failed(connection: Connection, chunk: int) -> None:
    """Results that are errors, so that their images are tried again."""
    errors = and_(results.c.chunk_id == chunk, results.c.error.is_not(None))
    dropped = connection.execute(delete(results).where(errors)).rowcount
    values = {"images_done": chunks.c.images_done - dropped, "images_failed": 0}
    connection.execute(update(chunks).where(chunks.c.id == chunk).values(values))


def cancel(connection: Connection, target: QueueTarget, by: str = "") -> int:
    """Whoever works on one notices: what it holds is no longer active. Raises QueueRefused as `find`, and
    where all is done.
    """
    chosen = and_(_not_done(connection, target, "cancelled"), chunks.c.state.in_(UNFINISHED))
    query = select(chunks.c.id, chunks.c.token, chunks.c.state).where(chosen).order_by(chunks.c.id)
    rows = connection.execute(query.with_for_update()).all()
    for chunk, token, state in rows:
        values = UNCLAIMED | {"state": CANCELLED, "ended_at": db_now()}
        connection.execute(update(chunks).where(chunks.c.id == chunk).values(values))
        if state == ACTIVE:
            this = and_(attempts.c.chunk_id == chunk, attempts.c.token == token)
            connection.execute(update(attempts).where(this).values(ended_at=db_now(), outcome=CANCELLED))
    return noted(connection, "cancel", target, len(rows), by)


def set_paused(connection: Connection, target: QueueTarget, paused: bool, by: str = "") -> int:
    """Chunks at an end, should they be put back, and those that are added to a batch later, are paused with
    it. Raises QueueRefused as `find`, and where all is done and nothing is to be lifted.
    """
    kind = "pause" if paused else "resume"
    lifts = not paused and _is_paused(connection, target)
    found = find(connection, target) if lifts else _not_done(connection, target, f"{kind}d")
    chosen = and_(found, chunks.c.paused != paused)
    states = connection.execute(update(chunks).where(chosen).values(paused=paused).returning(chunks.c.state))
    changed = sum(state in UNFINISHED for state in states.scalars())
    if target.chunk is None:
        batch = update(batches).where(batches.c.name == target.batch)
        connection.execute(batch.values(paused=paused))
    return noted(connection, kind, target, changed, by)


def set_deadline(
    connection: Connection, policy: QueuePolicy, target: QueueTarget, deadline: float | None, by: str = ""
) -> int:
    """Of a whole batch; None: it has none any more. What was missed is open again. Raises QueueRefused as
    `find`, and where all is done.
    """
    chosen = _not_done(connection, target, "given a deadline")
    batch = batches.c.name == target.batch
    batch_id = connection.execute(select(batches.c.id).where(batch).with_for_update()).scalar_one()
    connection.execute(update(batches).where(batch).values(deadline=deadline))
    apply_to_chunks(connection, policy, batch_id, {"deadline": deadline})
    left = select(func.count()).where(chosen, chunks.c.state != DONE)
    return noted(connection, "deadline", target, connection.execute(left).scalar_one(), by)


def find(connection: Connection, target: QueueTarget) -> ColumnElement[bool]:
    """The condition on chunks. Raises QueueRefused when the batch, or the chunk, or the chunk in the batch is
    not there.
    """
    wanted: list[ColumnElement[bool]] = []
    if target.batch is not None:
        batch = batch_id_of(connection, target.batch)
        if batch is None:
            raise QueueRefused(f"there is no batch {target.batch}")
        wanted.append(chunks.c.batch_id == batch)
    if target.chunk is not None:
        wanted.append(chunks.c.id == target.chunk)
        is_number = abs(target.chunk) < 2**63  # databases count no further
        if not is_number or connection.execute(select(func.count()).where(*wanted)).scalar_one() == 0:
            raise QueueRefused(
                f"there is no chunk {target.chunk}" + (f" in batch {target.batch}" * bool(target.batch))
            )
    if not wanted:
        raise QueueRefused("name a batch or a chunk")
    return and_(*wanted)


def _not_done(connection: Connection, target: QueueTarget, what: str) -> ColumnElement[bool]:
    """As `find`. A batch that has no chunks yet is not done, nor one that is still being submitted."""
    chosen = find(connection, target)
    states = set(connection.execute(select(chunks.c.state).where(chosen).distinct()).scalars())
    if states == {DONE} and not (target.chunk is None and _is_submitted_now(connection, target.batch)):
        raise QueueRefused(f"{_named(target)} is done: it cannot be {what}")
    return chosen


def _is_submitted_now(connection: Connection, batch: str | None) -> bool:
    this = and_(
        batch_wishes.c.batch == batch, batch_wishes.c.kind == "submit", batch_wishes.c.done_at.is_(None)
    )
    return connection.execute(select(batch_wishes.c.id).where(this).limit(1)).first() is not None


def _is_paused(connection: Connection, target: QueueTarget) -> bool:
    this = batches.c.name == target.batch if target.chunk is None else chunks.c.id == target.chunk
    paused = or_(batches.c.paused, chunks.c.paused)
    query = select(batches.c.id).outerjoin(chunks, chunks.c.batch_id == batches.c.id).where(this, paused)
    return connection.execute(query.limit(1)).first() is not None


def _named(target: QueueTarget) -> str:
    return f"batch {target.batch}" if target.chunk is None else f"chunk {target.chunk}"


def noted(connection: Connection, kind: str, target: QueueTarget, changed: int, by: str) -> int:
    host = socket.gethostname()
    message = f"{_named(target)}: {counted(changed, 'chunk')}, by {by or acting_user()} on {host}"
    add_event(connection, kind, message, host, chunk=target.chunk)
    return changed
