"""The one manager's way to the machines: a lease, and writes that are its holder's alone.

Each write is one transaction that first makes sure that the lease is still this manager's (a fencing token,
as claims have), so that one which slept too long changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, case, or_, select, update

from worker.queue.database.connections import Database
from worker.queue.database.sql import db_now, insert_or_ignore
from worker.queue.machines.machines import (
    GroupRow,
    HostWord,
    MachineRow,
    QueuedWork,
    read_groups,
    read_host_words,
    read_machines,
    read_work,
)
from worker.queue.machines.wishes import MachineWish, open_wishes
from worker.queue.model import QueueError
from worker.queue.schema import machines, manager_lease

T = TypeVar("T")


class NotManager(QueueError):
    """Another manager has taken the lease: nothing was written."""


@dataclass(frozen=True, slots=True)
class MachineView:
    """All that a round of the manager looks at, of one moment."""

    now: float
    machines: tuple[MachineRow, ...]  # that are not gone
    groups: Mapping[str, GroupRow]
    hosts: Mapping[str, HostWord]
    work: tuple[QueuedWork, ...]
    wishes: tuple[MachineWish, ...]
    holder: str = ""  # of the lease
    lease_until: float = 0


class MachineBook:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._token: int | None = None
        self._lease_s = 0.0

    def take_lease(self, holder: str, lease_s: float) -> bool:
        """Whether the lease is this manager's now, for `lease_s`; call it each round. No two managers have
        one name.
        """

        def take(connection: Connection) -> int | None:
            first = {"id": 1, "holder": "", "token": 0, "lease_until": 0, "seen_at": 0}
            connection.execute(insert_or_ignore(connection, manager_lease).values(first))
            ours = manager_lease.c.holder == holder
            statement = (
                update(manager_lease)
                .where(or_(ours, manager_lease.c.lease_until < db_now()))
                .values(
                    holder=holder,
                    token=case((ours, manager_lease.c.token), else_=manager_lease.c.token + 1),
                    lease_until=db_now() + lease_s,
                    seen_at=db_now(),
                )
                .returning(manager_lease.c.token)
            )
            return connection.execute(statement).scalar_one_or_none()

        self._token, self._lease_s = self._database.write(take), lease_s
        return self._token is not None

    def give_back_lease(self) -> None:
        def give_back(connection: Connection) -> None:
            ours = manager_lease.c.token == (self._token or -1)
            connection.execute(update(manager_lease).where(ours).values(lease_until=0))

        self._database.write(give_back)
        self._token = None

    def view(self) -> MachineView:
        return self._database.read(read_view)

    def write(self, run: Callable[[Connection], T]) -> T:
        """One transaction of the lease's holder, which renews it. Raises NotManager."""

        def fenced(connection: Connection) -> T:
            ours = manager_lease.c.token == (self._token or -1)
            renewed = {"lease_until": db_now() + self._lease_s, "seen_at": db_now()}
            if connection.execute(update(manager_lease).where(ours).values(renewed)).rowcount != 1:
                raise NotManager("another manager has the lease of the machines")
            return run(connection)

        return self._database.write(fenced)


def read_view(connection: Connection) -> MachineView:
    lease = connection.execute(select(manager_lease)).one_or_none()
    return MachineView(
        now=connection.execute(select(db_now())).scalar_one(),
        machines=tuple(read_machines(connection)),
        groups={group.name: group for group in read_groups(connection)},
        hosts=read_host_words(connection),
        work=read_work(connection),
        wishes=tuple(open_wishes(connection)),
        holder="" if lease is None else lease.holder,
        lease_until=0 if lease is None else lease.lease_until,
    )


def read_leave(connection: Connection, host: str) -> tuple[bool, float | None]:
    """(whether the machine of that name was told to leave, seconds since a manager was there; None: never)"""
    leave_at = connection.execute(select(machines.c.leave_at).where(machines.c.name == host)).scalar()
    silent_s = connection.execute(select(db_now() - manager_lease.c.seen_at)).scalar()
    return leave_at is not None, silent_s
