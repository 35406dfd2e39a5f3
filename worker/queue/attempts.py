"""How a claim ends: done, given back, at fault, crashed; and what such attempts took.

A worker's own call ends nothing that was taken from it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, func, or_, select, update

from worker.queue.claims import HELD, REMAINING, holder, lost
from worker.queue.database.sql import db_now
from worker.queue.hosts import add_event
from worker.queue.model import Claim, QueueRefused, Result, Usage, UsageStatistics
from worker.queue.policy import QueuePolicy, backoff_s
from worker.queue.results import add_results
from worker.queue.schema import ACTIVE, DONE, FAILED, PENDING, attempts, chunks, images

CRASHES_ALONE = 2  # after so many the image gets the crash as its result
STATISTICS_FROM = 50  # attempts
UNCLAIMED = {"lease_until": None, "worker": None, "host": None}
FINISH = (
    update(chunks)
    .where(HELD, chunks.c.images_done == chunks.c.images_total)
    .values(
        UNCLAIMED
        | {
            "state": DONE,
            "file": bindparam("stored_file"),
            "error": None,
            "ended_at": db_now(),
            "missed": or_(chunks.c.missed, chunks.c.due < db_now()),
        }
    )
)
# What an attempt cost, in its chunk
PEAK = bindparam("peak", type_=chunks.c.peak_memory_bytes.type)
SPEND = (
    update(chunks)
    .where(chunks.c.id == bindparam("chunk"))
    .values(
        cpu_s=chunks.c.cpu_s + bindparam("spent_cpu_s"),
        wall_s=chunks.c.wall_s + bindparam("spent_wall_s"),
        peak_memory_bytes=case((chunks.c.peak_memory_bytes > PEAK, chunks.c.peak_memory_bytes), else_=PEAK),
    )
)
END_ATTEMPT = (
    update(attempts)
    .where(attempts.c.chunk_id == bindparam("chunk"), attempts.c.token == bindparam("held_token"))
    .values(
        ended_at=db_now(),
        outcome=bindparam("how"),
        error=bindparam("why"),
        cpu_s=bindparam("spent_cpu_s"),
        wall_s=bindparam("spent_wall_s"),
        peak_memory_bytes=PEAK,
    )
)


def finish(connection: Connection, claim: Claim, usage: Usage, file: str | None) -> None:
    if connection.execute(FINISH, holder(claim) | {"stored_file": file}).rowcount == 1:
        end_attempt(connection, claim.chunk, claim.token, DONE, None, usage)
        return
    held = connection.execute(select(chunks).where(HELD), holder(claim)).one_or_none()
    if held is not None:
        raise QueueRefused(
            f"chunk {claim.name}: {held.images_total - held.images_done} images have no result"
        )
    this = and_(chunks.c.id == claim.chunk, chunks.c.token == claim.token, chunks.c.state == DONE)
    if connection.execute(select(chunks.c.id).where(this)).one_or_none() is None:
        raise lost(claim)  # else: done by this very call, whose answer was lost


def release(connection: Connection, claim: Claim, reason: str, usage: Usage | None) -> None:
    values = UNCLAIMED | {"state": PENDING}
    if (
        connection.execute(update(chunks).where(held_ever(claim.chunk, claim.token)).values(values)).rowcount
        == 1
    ):
        end_attempt(connection, claim.chunk, claim.token, "released", reason, usage)


def fail(connection: Connection, policy: QueuePolicy, claim: Claim, error: str, usage: Usage | None) -> bool:
    """Whether the chunk was given up."""
    query = select(chunks).where(held_ever(claim.chunk, claim.token)).with_for_update()
    row = connection.execute(query).one_or_none()
    if row is None:
        return False
    given_up = record_failure(connection, policy, row, error, backoff=True)
    end_attempt(connection, claim.chunk, claim.token, FAILED, error, usage)
    return given_up


def record_failure(
    connection: Connection, policy: QueuePolicy, row: Row[Any], error: str, backoff: bool
) -> bool:
    """One more fault in a row for an active chunk, whose row is locked: pending again, or given up, which is
    what it returns.
    """
    faults = row.faults + 1
    values: dict[str, Any] = UNCLAIMED | {"faults": faults, "error": error, "state": PENDING}
    if faults >= policy.attempts:
        values |= {"state": FAILED, "ended_at": db_now()}
        add_event(connection, "failed", f"{row.name}: {error}", row.host, row.worker, row.id)
    elif backoff:
        values["not_before"] = db_now() + backoff_s(policy, faults, random.random())
    connection.execute(update(chunks).where(chunks.c.id == row.id).values(values))
    return bool(faults >= policy.attempts)


def end_attempt(
    connection: Connection, chunk: int, token: int, outcome: str, error: str | None, usage: Usage | None
) -> None:
    """Notes how it ended, and what it cost in the attempt and the chunk."""
    cost: dict[str, float | None] = dict.fromkeys(("spent_cpu_s", "spent_wall_s", "peak"))
    if usage is not None:
        cost = {"spent_cpu_s": usage.cpu_s, "spent_wall_s": usage.wall_s, "peak": usage.peak_memory_bytes}
        connection.execute(SPEND, {"chunk": chunk, **cost})
    this = {"chunk": chunk, "held_token": token, "how": outcome, "why": error}
    connection.execute(END_ATTEMPT, this | cost)


def held_ever(chunk: int, token: int) -> ColumnElement[bool]:
    """Nobody took it from the claim's holder, though its lease may be over: enough for giving it back."""
    return and_(chunks.c.id == chunk, chunks.c.token == token, chunks.c.state == ACTIVE)


def crash(
    connection: Connection,
    policy: QueuePolicy,
    chunk: int,
    token: int,
    in_flight: Sequence[int],
    error: str,
    is_cause: bool,
) -> bool:
    """Whether the chunk was given up."""
    row = connection.execute(select(chunks).where(chunks.c.id == chunk).with_for_update()).one_or_none()
    if row is None:
        return False
    remaining = {image.number: image for image in connection.execute(REMAINING, {"chunk": chunk})}
    flying = [remaining[number] for number in in_flight if number in remaining]
    held = row.state == ACTIVE and row.token == token
    if held and is_cause and len(in_flight) == 1 and flying and flying[0].quarantined:
        record_image_failure(connection, chunk, token, flying[0].number, error)
    quarantine(connection, chunk, [image.number for image in flying])
    if not held:
        return False
    add_event(connection, "crashed", f"{row.name}: {error}", row.host, row.worker, chunk)
    given_up = False
    if is_cause and not in_flight:
        given_up = record_failure(connection, policy, row, error, backoff=True)
    else:
        set_free(connection, chunk, error)
    end_attempt(connection, chunk, token, "crashed", error, None)
    return given_up


def free(connection: Connection, worker: str, error: str) -> None:
    held = select(chunks).where(chunks.c.state == ACTIVE, chunks.c.worker == worker).with_for_update()
    for row in connection.execute(held).all():
        add_event(connection, "crashed", f"{row.name}: {error}", row.host, worker, row.id)
        set_free(connection, row.id, error)
        end_attempt(connection, row.id, row.token, "crashed", error, None)


def set_free(connection: Connection, chunk: int, error: str) -> None:
    values = UNCLAIMED | {"state": PENDING, "error": error}
    connection.execute(update(chunks).where(chunks.c.id == chunk).values(values))


def quarantine(connection: Connection, chunk: int, numbers: Sequence[int]) -> None:
    if numbers:
        these = and_(images.c.chunk_id == chunk, images.c.number.in_(numbers))
        connection.execute(update(images).where(these).values(quarantined=True))


def record_image_failure(connection: Connection, chunk: int, token: int, number: int, error: str) -> None:
    """One more crash of a worker that had the image alone."""
    this = and_(images.c.chunk_id == chunk, images.c.number == number)
    counted = update(images).where(this).values(crashes=images.c.crashes + 1).returning(images.c.crashes)
    if connection.execute(counted).scalar_one() >= CRASHES_ALONE:
        add_results(connection, chunk, token, [Result(number, None, error=f"WorkerCrash: {error}")])


def usage_statistics(connection: Connection, engine: str) -> UsageStatistics | None:
    """From the last attempts that finished their chunk: the largest peak, and CPU time by wall time of them
    all.
    """
    last = (
        select(attempts.c.peak_memory_bytes, attempts.c.cpu_s, attempts.c.wall_s)
        .where(attempts.c.engine == engine, attempts.c.outcome == DONE, attempts.c.wall_s > 0)
        .order_by(attempts.c.ended_at.desc())
        .limit(STATISTICS_FROM)
        .subquery()
    )
    query = select(func.max(last.c.peak_memory_bytes), func.sum(last.c.cpu_s), func.sum(last.c.wall_s))
    peak, cpu_s, wall_s = connection.execute(query).one()
    return UsageStatistics(int(peak), cpu_s / wall_s) if peak else None
