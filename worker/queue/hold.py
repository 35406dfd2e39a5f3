"""The one hold over the whole fleet: while it is there nothing is claimed, added, submitted or scaled up.

It lies beside what was paused by hand, so that lifting it leaves that as it was.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, delete, exists, literal_column, select

from cloud_monitor.system.process import acting_user
from worker.queue.database.connections import Database
from worker.queue.database.sql import db_now, insert_or_ignore, storable
from worker.queue.hosts import add_event
from worker.queue.model import QueueRefused
from worker.queue.schema import HOLD_SINCE, fleet_hold


@dataclass(frozen=True, slots=True)
class FleetHold:
    since: float  # by the database's clock
    by: str
    reason: str

    @property
    def text(self) -> str:
        why = f" ({self.reason})" if self.reason else ""
        return f"the whole fleet is held by {self.by}{why}; `worker resume --all` lifts it"


def is_held() -> ColumnElement[bool]:
    """As a condition of a query, which finds the row by its key."""
    return exists(select(fleet_hold.c.id).where(fleet_hold.c.id == literal_column("1")))


def read_hold(connection: Connection) -> FleetHold | None:
    row = connection.execute(select(fleet_hold)).one_or_none()
    return None if row is None else FleetHold(row.since, row.held_by, row.reason)


def read_hold_of(database: Database, revision: str) -> FleetHold | None:
    """Also of a queue whose schema is older."""
    return database.read(read_hold) if revision >= HOLD_SINCE else None


def hold_fleet(connection: Connection, reason: str) -> bool:
    """Whether it was not held before; who holds it already goes on to."""
    host, user = socket.gethostname(), acting_user()
    by = storable(f"{user} on {host}")
    values = {"id": 1, "since": db_now(), "held_by": by, "reason": storable(reason)}
    statement = insert_or_ignore(connection, fleet_hold).values(values).returning(fleet_hold.c.id)
    if connection.execute(statement).one_or_none() is None:
        return False
    add_event(connection, "hold", f"the whole fleet, by {user} on {host}{reason and f': {reason}'}", host)
    return True


def lift_hold(connection: Connection) -> bool:
    """Whether there was one. Batches that were paused by hand stay so."""
    if connection.execute(delete(fleet_hold)).rowcount < 1:
        return False
    host = socket.gethostname()
    add_event(connection, "hold_lifted", f"the whole fleet, by {acting_user()} on {host}", host)
    return True


def refuse_if_held(connection: Connection, what: str) -> None:
    """Raises QueueRefused."""
    if (hold := read_hold(connection)) is not None:
        raise QueueRefused(f"{what}: {hold.text}")
