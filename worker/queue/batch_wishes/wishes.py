"""What people ask of batches from outside: rows that anyone with the right to insert may write, and that a
supervisor carries out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row

from worker.queue.database.connections import Database
from worker.queue.database.sql import db_now, insert_or_ignore
from worker.queue.enqueue import BATCH_NAME, BATCH_NAME_TEXT
from worker.queue.hosts import add_event
from worker.queue.model import QueueError, QueueRefused
from worker.queue.schema import NO_DEADLINE, batch_wishes

__all__ = [
    "BatchWish",
    "BatchWishKind",
    "QueueError",
    "add_batch_wish",
    "batch_wish_of",
    "check_batch_wish",
    "write_batch_wish",
]

BatchWishKind = Literal["submit", "pause", "resume", "cancel", "retry", "deadline"]
REFUSED = "refused: "
NAME_MAX, SOURCE_MAX, KEY_MAX = 200, 1000, 200
LONGEST_S = 10 * 366 * 86_400  # of a deadline in seconds


@dataclass(frozen=True, slots=True)
class BatchWish:
    """`details`: of submit `source`, and where they are given `priority` and `deadline`; of deadline
    `deadline` (None: none any more); of retry `failed_images`. A deadline is seconds from `asked_at` on, or
    a time in ISO 8601 (UTC unless it says which).
    """

    kind: BatchWishKind
    batch: str
    asked_by: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    request_key: str | None = None
    id: int = 0  # of the row
    asked_at: float = 0
    done_at: float | None = None
    outcome: str = ""  # "": still open
    progress: str = ""
    holder: str = ""  # host that submits it
    token: int = 0
    lease_until: float = 0
    not_before: float = 0
    faults: int = 0
    batch_id: int | None = None

    @property
    def source(self) -> str:
        return str(self.details.get("source", ""))

    @property
    def is_refused(self) -> bool:
        return self.outcome.startswith(REFUSED)

    @property
    def deadline(self) -> float | None:
        """Seconds since the epoch."""
        return _deadline_at(self.details.get("deadline"), self.asked_at)


def check_batch_wish(wish: BatchWish) -> None:
    """Raises QueueRefused, by name, for what no wish may be."""
    if wish.kind not in get_args(BatchWishKind):
        raise QueueRefused(f"there is no wish {wish.kind!r}; there are {', '.join(get_args(BatchWishKind))}")
    if not _is_plain(wish.batch, NAME_MAX):
        raise QueueRefused(f"a batch's name is up to {NAME_MAX} printable characters")
    if wish.kind == "submit" and not BATCH_NAME.fullmatch(wish.batch):
        raise QueueRefused(f"name {wish.batch!r}: {BATCH_NAME_TEXT}")
    if wish.request_key is not None and not _is_plain(wish.request_key, KEY_MAX):
        raise QueueRefused(f"the key is up to {KEY_MAX} printable characters")
    checks = _DETAILS[wish.kind]
    for name in sorted(wish.details.keys() - checks.keys()):
        raise QueueRefused(f"a wish {wish.kind!r} has no {name!r}")
    if wish.kind in _NEEDED and _NEEDED[wish.kind] not in wish.details:
        raise QueueRefused(f"a wish {wish.kind!r} needs its {_NEEDED[wish.kind]}")
    for name, value in wish.details.items():
        if why := checks[name](value):
            raise QueueRefused(f"{name}: {why}")
    if not math.isfinite(wish.asked_at):  # a row's, by whoever wrote it
        raise QueueRefused("it was asked for at no time")
    due = wish.deadline
    if due is not None and due <= wish.asked_at:
        raise QueueRefused(f"deadline: {wish.details['deadline']} is in the past")


def _is_plain(text: object, longest: int) -> bool:
    """Printable, and so without controls, lone surrogates and what turns the direction of writing."""
    return isinstance(text, str) and 0 < len(text) <= longest and text.isprintable()


def _source_fault(value: object) -> str:
    return "" if _is_plain(value, SOURCE_MAX) else f"up to {SOURCE_MAX} printable characters are expected"


def _priority_fault(value: object) -> str:
    is_one = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 3
    return "" if is_one else "1, 2 or 3 is expected, 3 is the most urgent"


def _deadline_fault(value: object) -> str:
    try:
        at = _deadline_at(value, 0)
    except (ValueError, OverflowError):
        return "seconds from now on, or a time such as 2026-11-23T08:00Z, is expected"
    return "it is after the year 9999" if at is not None and at >= NO_DEADLINE else ""


def _flag_fault(value: object) -> str:
    return "" if isinstance(value, bool) else "true or false is expected"


_DETAILS: Mapping[BatchWishKind, Mapping[str, Callable[[object], str]]] = {
    "submit": {"source": _source_fault, "priority": _priority_fault, "deadline": _deadline_fault},
    "pause": {},
    "resume": {},
    "cancel": {},
    "retry": {"failed_images": _flag_fault},
    "deadline": {"deadline": _deadline_fault},
}
_NEEDED: Mapping[BatchWishKind, str] = {"submit": "source", "deadline": "deadline"}


def _deadline_at(value: object, now: float) -> float | None:
    """Raises ValueError, OverflowError."""
    if value is None:
        return None
    if isinstance(value, str):
        if len(value) > 40:
            raise ValueError(value[:40])
        at = datetime.fromisoformat(value)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(value)
    if not math.isfinite(value) or not 0 < value <= LONGEST_S:
        raise ValueError(value)
    return now + value


def add_batch_wish(connection: Connection, wish: BatchWish) -> int | None:
    """The wish's number; an event says who asked. None where the asker has used the key before. Raises
    QueueRefused as check_batch_wish does.
    """
    check_batch_wish(wish)
    values = {
        "kind": wish.kind,
        "batch": wish.batch,
        "details": dict(wish.details),
        "asked_by": wish.asked_by,
        "request_key": wish.request_key,
    }
    statement = insert_or_ignore(connection, batch_wishes).values(asked_at=db_now(), **values)
    number = connection.execute(statement.returning(batch_wishes.c.id)).scalar_one_or_none()
    if number is None:
        return None
    details = ", ".join(f"{name} {value}" for name, value in wish.details.items())
    said = f"{wish.asked_by} asks: {wish.kind} {wish.batch}{details and f' ({details})'} (wish {number})"
    add_event(connection, "batch_wish", said)
    return int(number)


def write_batch_wish(url: str, wish: BatchWish, patience_s: float) -> int | None:
    """As add_batch_wish. The role needs to INSERT the first columns of `batch_wishes`, and `events`, and to
    SELECT their `id`. Raises QueueUnavailable, QueueRefused.
    """
    with closing(Database(url, patience_s)) as database:
        return database.write(lambda connection: add_batch_wish(connection, wish))


def batch_wish_of(row: Row[Any]) -> BatchWish:
    """Of a row of whoever may write it: what is no such value is left for check_batch_wish to refuse."""
    return BatchWish(
        kind=row.kind,
        batch=row.batch,
        asked_by=row.asked_by,
        details=row.details if isinstance(row.details, dict) else {"details": row.details},
        request_key=row.request_key,
        id=row.id,
        asked_at=row.asked_at,
        done_at=row.done_at,
        outcome=row.outcome,
        progress=row.progress,
        holder=row.holder,
        token=row.token,
        lease_until=row.lease_until,
        not_before=row.not_before,
        faults=row.faults,
        batch_id=row.batch_id,
    )
