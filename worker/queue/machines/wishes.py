"""What operators ask of the machine manager: rows that anyone with the right to insert may write, and that
the manager alone fulfils.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Row, insert, select, update

from worker.queue.database.connections import Database
from worker.queue.database.sql import db_now, storable
from worker.queue.hosts import add_event
from worker.queue.model import QueueError, QueueRefused
from worker.queue.schema import machine_wishes

__all__ = [
    "MachineWish",
    "QueueError",
    "WishKind",
    "add_wish",
    "check_wish",
    "end_wish",
    "open_wishes",
    "wish_of",
    "write_wishes",
]

WishKind = Literal["create", "delete", "pause", "resume", "limits"]


@dataclass(frozen=True, slots=True)
class MachineWish:
    """`details`: of create `count`, and `place` where it is to be in that one; of delete `now` (without
    draining); of limits `least`, `most` (None: as configured).
    """

    kind: WishKind
    group: str = ""
    machine: str = ""
    asked_by: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0  # of the row
    asked_at: float = 0
    outcome: str = ""  # "": still open


_MOST = 1000  # machines
_COUNTS = {"count": 1, "least": 0, "most": 0}  # at least
_DETAILS = {"create": {"count", "place"}, "delete": {"now"}, "limits": {"least", "most"}}


def check_wish(wish: MachineWish) -> None:
    """Raises QueueRefused, by name, for a kind or a detail that there is not, or that is no such value."""
    if wish.kind not in get_args(WishKind):
        raise QueueRefused(f"there is no wish {wish.kind!r}; there are {', '.join(get_args(WishKind))}")
    allowed = _DETAILS.get(wish.kind, set())
    for name, value in wish.details.items():
        if name not in allowed:
            raise QueueRefused(f"a wish {wish.kind!r} has no {name!r}")
        _check_detail(name, value, may_be_none=wish.kind == "limits")
    least, most = wish.details.get("least"), wish.details.get("most")
    if least is not None and most is not None and least > most:
        raise QueueRefused(f"least {least} is more than most {most}")


def _check_detail(name: str, value: object, may_be_none: bool) -> None:
    if name in _COUNTS:
        first = _COUNTS[name]
        whole = isinstance(value, int) and not isinstance(value, bool) and first <= value <= _MOST
        if not whole and not (value is None and may_be_none):
            raise QueueRefused(f"{name} is {value!r}: a whole number from {first} to {_MOST} is asked for")
    elif name == "now" and not isinstance(value, bool):
        raise QueueRefused(f"now is {value!r}: true or false is asked for")
    elif name == "place" and not isinstance(value, str):
        raise QueueRefused(f"place is {value!r}: the name of a place is asked for")


def add_wish(connection: Connection, wish: MachineWish) -> int:
    """The wish's number; an event says who asked. Raises QueueRefused as check_wish does."""
    check_wish(wish)
    values = {
        "kind": wish.kind,
        "group_name": storable(wish.group),
        "machine": storable(wish.machine),
        "details": dict(wish.details),
        "asked_by": storable(wish.asked_by),
    }
    row = connection.execute(insert(machine_wishes).values(asked_at=db_now(), **values))
    about = wish.machine or wish.group
    details = ", ".join(f"{name} {value}" for name, value in wish.details.items())
    said = f"{wish.asked_by or 'somebody'} asks: {wish.kind} {about}{details and f' ({details})'}"
    add_event(connection, "machine_wish", said, host=wish.machine)
    return int((row.inserted_primary_key or (0,))[0])


def write_wishes(url: str, wishes: Sequence[MachineWish], patience_s: float) -> list[int]:
    """The numbers of the new wishes, all or none. The role needs to INSERT into `machine_wishes` and
    `events`, and to SELECT their `id`. Raises QueueUnavailable, QueueRefused.
    """
    with closing(Database(url, patience_s)) as database:
        return database.write(lambda connection: [add_wish(connection, wish) for wish in wishes])


def open_wishes(connection: Connection) -> list[MachineWish]:
    """Those not fulfilled yet, oldest first."""
    query = select(machine_wishes).where(machine_wishes.c.done_at.is_(None)).order_by(machine_wishes.c.id)
    return [wish_of(row) for row in connection.execute(query)]


def wish_of(row: Row[Any]) -> MachineWish:
    return MachineWish(
        row.kind,
        row.group_name,
        row.machine,
        row.asked_by,
        row.details if isinstance(row.details, dict) else {"details": row.details},
        row.id,
        row.asked_at,
        row.outcome,
    )


def end_wish(connection: Connection, wish: int, outcome: str) -> None:
    """Only the manager's, within the transaction that did what was wished."""
    this = update(machine_wishes).where(machine_wishes.c.id == wish)
    connection.execute(this.values(done_at=db_now(), outcome=storable(outcome)))
