"""What supervisors do with what is asked of batches: changes in one transaction with their end, submissions
under a lease with a fencing token, as chunks are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import ColumnElement, Connection, delete, func, select, update

from cloud_monitor.system.text import counted
from worker.queue import operator
from worker.queue.batch_wishes.wishes import REFUSED, BatchWish, batch_wish_of, check_batch_wish
from worker.queue.database.sql import db_now, insert_or_ignore, insert_or_replace, storable
from worker.queue.enqueue import DEFAULT_PRIORITY, Listing, add_directories, batch_of
from worker.queue.hold import is_held
from worker.queue.hosts import add_event
from worker.queue.model import Added, Batch, QueueError, QueueRefused, QueueTarget
from worker.queue.policy import QueuePolicy, growing_pause_s
from worker.queue.schema import batch_id_of, batch_wishes, batches, chunks, submit_sources

LOCK = 7_201_609  # PostgreSQL's advisory lock: one supervisor makes changes at a time, in their order
TRIES = 5  # of a submission that faults stop
SILENT_S = 45.0  # a supervisor that has not reported for so long carries nothing out
TRY_AGAIN_S = 5.0  # after its first fault; doubled by each next

OPEN = batch_wishes.c.done_at.is_(None)
IS_SUBMISSION = batch_wishes.c.kind == "submit"


class WishLost(QueueError):
    """The submission is no longer this supervisor's: another took it, or it was cancelled."""


class WishHeld(QueueError):
    """The whole fleet is held: the submission waits."""


@dataclass(frozen=True, slots=True)
class OpenWishes:
    """`submissions`: that nobody is at, and may be tried now; none while the fleet is held."""

    changes: int = 0
    submissions: int = 0


def report_sources(connection: Connection, host: str, prefixes: Sequence[str]) -> None:
    """This host's supervisor carries out wishes."""
    statement = insert_or_replace(connection, submit_sources, ["prefixes", "seen_at"])
    connection.execute(statement.values(host=host, prefixes=list(prefixes), seen_at=db_now()))


def forget_sources(connection: Connection, host: str) -> None:
    """This host's supervisor ends."""
    connection.execute(delete(submit_sources).where(submit_sources.c.host == host))


def read_sources(connection: Connection) -> dict[str, tuple[str, ...]]:
    """Of the hosts whose supervisors are there."""
    seen = submit_sources.c.seen_at > db_now() - SILENT_S
    rows = connection.execute(select(submit_sources).where(seen).order_by(submit_sources.c.host))
    return {row.host: tuple(str(prefix) for prefix in row.prefixes) for row in rows}


def read_open(connection: Connection) -> OpenWishes:
    ready = IS_SUBMISSION & _can_be_taken() & ~is_held()
    counts = select(func.count().filter(~IS_SUBMISSION), func.count().filter(ready)).where(OPEN)
    return OpenWishes(*connection.execute(counts).one())


def _can_be_taken() -> ColumnElement[bool]:
    return (batch_wishes.c.lease_until <= db_now()) & (batch_wishes.c.not_before <= db_now())


def make_next_change(connection: Connection, policy: QueuePolicy, host: str) -> BatchWish | None:
    """The oldest change that is open, made and at its end, with its outcome; None where there is none, or
    another supervisor is at it.
    """
    try_lock = select(func.pg_try_advisory_xact_lock(LOCK))
    if connection.dialect.name == "postgresql" and not connection.execute(try_lock).scalar_one():
        return None
    query = select(batch_wishes).where(OPEN, ~IS_SUBMISSION).order_by(batch_wishes.c.id).limit(1)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    wish = batch_wish_of(row)
    try:
        check_batch_wish(wish)  # whoever may insert rows may have left out what add_batch_wish looks at
        outcome = _change(connection, policy, wish, f"{wish.asked_by} (wish {wish.id})")
    except QueueRefused as error:
        outcome = f"{REFUSED}{error}"
    return end_wish(connection, wish, outcome, host)


def _change(connection: Connection, policy: QueuePolicy, wish: BatchWish, by: str) -> str:
    target = QueueTarget(wish.batch)
    match wish.kind:
        case "pause" | "resume":
            changed = operator.set_paused(connection, target, wish.kind == "pause", by)
            return f"{wish.kind}d {counted(changed, 'chunk')}"
        case "cancel":
            return _cancel(connection, wish, by)
        case "retry":
            changed = operator.retry(connection, target, bool(wish.details.get("failed_images")), by)
            return f"put back {counted(changed, 'chunk')}"
        case "deadline":
            changed = operator.set_deadline(connection, policy, target, wish.deadline, by)
            return f"changed for {counted(changed, 'chunk')}"
        case "submit":
            raise QueueRefused("a submission is no change")
        case _:
            assert_never(wish.kind)


def _cancel(connection: Connection, wish: BatchWish, by: str) -> str:
    """Also of a batch that is still being submitted, or waits for that."""
    this = OPEN & IS_SUBMISSION & (batch_wishes.c.batch == wish.batch)
    stops = connection.execute(select(batch_wishes.c.id).where(this).limit(1)).first() is not None
    said = "cancelled before it was submitted"
    if not stops or batch_id_of(connection, wish.batch) is not None:
        changed = operator.cancel(connection, QueueTarget(wish.batch), by)
        said = f"cancelled {counted(changed, 'chunk')}{' and the rest of its submission' if stops else ''}"
    values = {"done_at": db_now(), "outcome": storable(f"stopped: {by} cancelled it")}
    connection.execute(update(batch_wishes).where(this).values(values))
    return said


def waiting_submissions(connection: Connection) -> list[BatchWish]:
    """Those that nobody is at and may be tried now, oldest first; none while the fleet is held."""
    query = select(batch_wishes).where(OPEN, IS_SUBMISSION, _can_be_taken(), ~is_held())
    return [batch_wish_of(row) for row in connection.execute(query.order_by(batch_wishes.c.id))]


def take_submission(connection: Connection, wish: BatchWish, host: str, lease_s: float) -> BatchWish | None:
    """With its new token; None where another was faster."""
    this = OPEN & IS_SUBMISSION & (batch_wishes.c.id == wish.id) & _can_be_taken()
    values = {"holder": host, "token": batch_wishes.c.token + 1, "lease_until": db_now() + lease_s}
    statement = update(batch_wishes).where(this).values(values).returning(*batch_wishes.c)
    row = connection.execute(statement).one_or_none()
    return None if row is None else batch_wish_of(row)


def keep_submission(
    connection: Connection, wish: BatchWish, lease_s: float, progress: str | None = None
) -> None:
    """Renews. Raises WishLost."""
    values: dict[str, Any] = {"lease_until": db_now() + lease_s}
    if progress is not None:
        values["progress"] = progress
    if connection.execute(update(batch_wishes).where(_held(wish)).values(values)).rowcount != 1:
        raise WishLost(f"wish {wish.id} is no longer this supervisor's")


def _held(wish: BatchWish) -> ColumnElement[bool]:
    return OPEN & (batch_wishes.c.id == wish.id) & (batch_wishes.c.token == wish.token)


def begin_submission(connection: Connection, wish: BatchWish, source: str, lease_s: float) -> Batch:
    """The batch that the wish makes, or has made before it was interrupted. Raises WishLost, WishHeld;
    QueueRefused where there is another of that name.
    """
    keep_submission(connection, wish, lease_s, progress="")
    refuse_hold(connection)
    query = select(batch_wishes.c.batch_id).where(batch_wishes.c.id == wish.id)
    made = connection.execute(query).scalar_one()
    if made is None:
        made = _make_batch(connection, wish, source)
        this = update(batch_wishes).where(batch_wishes.c.id == wish.id)
        connection.execute(this.values(batch_id=made))
    row = connection.execute(select(batches).where(batches.c.id == made)).one_or_none()
    if row is None or row.source != source:
        raise QueueRefused(f"batch {wish.batch} that it had begun is gone: submit it again")
    return batch_of(row)


def _make_batch(connection: Connection, wish: BatchWish, source: str) -> int:
    values = {
        "name": wish.batch,
        "source": storable(source),
        "priority": wish.details.get("priority", DEFAULT_PRIORITY),
        "deadline": wish.deadline,
        "created_at": db_now(),
    }
    statement = insert_or_ignore(connection, batches).values(values).returning(batches.c.id)
    made = connection.execute(statement).scalar_one_or_none()
    if made is None:
        there = batch_id_of(connection, wish.batch)
        assert there is not None  # its name is why nothing was inserted
        told = contents_text(connection, there)
        raise QueueRefused(f"there is a batch {wish.batch} already, of {told}: choose another name")
    return int(made)


def refuse_hold(connection: Connection) -> None:
    """Raises WishHeld."""
    if connection.execute(select(is_held())).scalar_one():
        raise WishHeld("the whole fleet is held")


def add_piece(
    connection: Connection,
    policy: QueuePolicy,
    wish: BatchWish,
    batch: Batch,
    directories: Sequence[Listing],
    chunk_images: int,
    lease_s: float,
) -> Added:
    """As add_directories, while the wish is held: after a cancel nothing more is added. Raises WishLost,
    WishHeld.
    """
    keep_submission(connection, wish, lease_s)
    refuse_hold(connection)
    return add_directories(connection, policy, batch, directories, chunk_images)


def release_submission(connection: Connection, wish: BatchWish) -> None:
    """Can be taken at once, for no fault of its own."""
    connection.execute(update(batch_wishes).where(_held(wish)).values(lease_until=0, holder=""))


def record_fault(connection: Connection, wish: BatchWish, fault: str) -> None:
    """It is tried again after a pause, or is refused at its last try."""
    if wish.faults + 1 >= TRIES:
        end_wish(connection, wish, f"{REFUSED}{fault} ({TRIES} tries){_left_text(connection, wish)}", "")
        return
    values = {
        "lease_until": 0,
        "holder": "",
        "faults": wish.faults + 1,
        "not_before": db_now() + growing_pause_s(TRY_AGAIN_S, wish.faults + 1),
        "progress": storable(fault),
    }
    connection.execute(update(batch_wishes).where(_held(wish)).values(values))


def refuse_submission(connection: Connection, wish: BatchWish, why: str, host: str) -> None:
    end_wish(connection, wish, f"{REFUSED}{why}{_left_text(connection, wish)}", host)


def finish_submission(connection: Connection, wish: BatchWish, batch: Batch, note: str, host: str) -> str:
    """Its outcome: all that the batch holds, also of tries before. Raises WishLost."""
    keep_submission(connection, wish, 0)
    outcome = f"{contents_text(connection, batch.id)}{note}"
    end_wish(connection, wish, outcome, host)
    return outcome


def contents_text(connection: Connection, batch_id: int) -> str:
    columns = (chunks.c.images_total, chunks.c.documents)
    query = select(func.count(), *(func.coalesce(func.sum(column), 0) for column in columns))
    count, pictures, documents = connection.execute(query.where(chunks.c.batch_id == batch_id)).one()
    least = "at least " if documents else ""
    return f"{least}{counted(int(pictures), 'picture')} in {counted(count, 'chunk')}"


def _left_text(connection: Connection, wish: BatchWish) -> str:
    """What an interrupted submission leaves, and how to go on."""
    query = select(batch_wishes.c.batch_id).where(batch_wishes.c.id == wish.id)
    batch_id = connection.execute(query).scalar()
    if batch_id is None:
        return ""
    there = contents_text(connection, batch_id)
    return f"; {there} are in the queue: cancel the batch, or `worker enqueue` adds the rest"


def end_wish(connection: Connection, wish: BatchWish, outcome: str, host: str) -> BatchWish | None:
    """Within the transaction that did what was wished; an event says for whom. None where it is at its end
    already.
    """
    told = storable(outcome) or ""
    values = {"done_at": db_now(), "outcome": told, "lease_until": 0}
    statement = update(batch_wishes).where(_held(wish)).values(values).returning(*batch_wishes.c)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    kind = (
        "wish_refused" if told.startswith(REFUSED) else "submitted" if wish.kind == "submit" else "wish_done"
    )
    said = f"{wish.kind} {wish.batch}, asked for by {wish.asked_by} (wish {wish.id}): {told}"
    add_event(connection, kind, said, host)
    return batch_wish_of(row)
