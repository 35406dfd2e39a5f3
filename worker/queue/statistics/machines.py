"""Machines and their groups in figures, for the collector's `fleet` source and the web app's /machines: read,
never written, also of a queue whose schema has no machines yet.

Times named `_at` are seconds since the epoch by the database's clock, as `at` is. Prices and costs are in the
currency that the operator writes them in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from worker.queue.database.migrate import open_to_read
from worker.queue.database.sql import db_now
from worker.queue.machines.machines import (
    LEARNED_FROM,
    GroupRow,
    MachineRow,
    MachineState,
    Offer,
    made,
    read_groups,
    read_learned,
    read_machines,
)
from worker.queue.machines.wishes import MachineWish, wish_of
from worker.queue.model import QueueError
from worker.queue.schema import MACHINES_SINCE, events, machine_wishes, machines, manager_lease
from worker.queue.statistics.figures import EventFigures, HostFigures
from worker.queue.statistics.hosts import read_hosts

__all__ = [
    "STATES",
    "FleetMachines",
    "GroupFigures",
    "MachineFigures",
    "MachineRow",
    "MachineState",
    "Offer",
    "QueueError",
    "read_fleet_machines",
]

RECENT_S = 3600.0  # machines and wishes that are at an end are told of for so long
SILENT_MANAGER_S = 120.0
STATES = tuple(state.value for state in MachineState if state is not MachineState.GONE)


@dataclass(frozen=True, slots=True)
class MachineFigures:
    row: MachineRow
    age_s: float  # until now, or until it was gone
    cost: float  # so far
    host: HostFigures | None  # what its supervisor said last


@dataclass(frozen=True, slots=True)
class GroupFigures:
    row: GroupRow
    states: Mapping[str, int]  # machines by state, all of STATES
    failed: int  # of them, those with a fault
    made: int  # within RECENT_S
    ended: int
    died: int  # of those that ended, the ones with a fault
    boot_s: float | None  # learned; None: not yet
    images_per_s: float | None  # of one machine
    cost_per_1000_images: float | None  # of its last machines

    @property
    def there(self) -> int:
        return sum(self.states.values())

    def figure(self, name: str) -> float | None:
        """One that the manager's last decision was taken on."""
        value = self.row.figures.get(name)
        return float(value) if isinstance(value, int | float) else None


@dataclass(frozen=True, slots=True)
class FleetMachines:
    at: float
    manager_silent_s: float | None  # since a manager was there; None: never
    groups: tuple[GroupFigures, ...]  # by name
    machines: tuple[MachineFigures, ...]  # by name, those that are gone last
    wishes: tuple[MachineWish, ...]  # open ones and those fulfilled within RECENT_S, newest first
    events: tuple[EventFigures, ...]  # of machines and groups, newest first

    @property
    def is_managed(self) -> bool:
        return self.manager_silent_s is not None and self.manager_silent_s < SILENT_MANAGER_S


def read_fleet_machines(
    url: str, patience_s: float = 2, last: int = 50, recent_s: float = RECENT_S
) -> FleetMachines | None:
    """All of one moment; `last`: how many events. None of a queue that is older than machines. Raises
    QueueUnavailable; QueueError when there is no queue.
    """
    with open_to_read(url, patience_s) as (database, revision):
        if revision < MACHINES_SINCE:
            return None
        return database.read(lambda connection: count_machines(connection, revision, last, recent_s))


def count_machines(connection: Connection, revision: str, last: int, recent_s: float) -> FleetMachines:
    now = connection.execute(select(db_now())).scalar_one()
    seen_at = connection.execute(select(manager_lease.c.seen_at)).scalar()
    rows = read_machines(connection, gone_since=now - recent_s)
    hosts = {host.name: host for host in read_hosts(connection, now, revision)} if rows else {}
    groups = {group.name: group for group in read_groups(connection)}
    groups |= {row.group_name: GroupRow(row.group_name) for row in rows if row.group_name not in groups}
    return FleetMachines(
        at=now,
        manager_silent_s=None if seen_at is None else max(0.0, now - seen_at),
        groups=tuple(
            _group(connection, group, [row for row in rows if row.group_name == group.name], now)
            for _, group in sorted(groups.items())
        ),
        machines=tuple(
            MachineFigures(row, _age_s(row, now), _cost(row, now), hosts.get(row.name))
            for row in sorted(rows, key=lambda row: (row.state is MachineState.GONE, row.name))
        ),
        wishes=tuple(_wishes(connection, now - recent_s)),
        events=tuple(_events(connection, last)) if last else (),
    )


def _group(connection: Connection, group: GroupRow, rows: Sequence[MachineRow], now: float) -> GroupFigures:
    boot_s, rate = read_learned(connection, group.name)
    there = [row for row in rows if row.state is not MachineState.GONE]
    gone = [row for row in rows if row.state is MachineState.GONE]
    return GroupFigures(
        row=group,
        states={state: sum(row.state.value == state for row in there) for state in STATES},
        failed=sum(bool(row.fault) for row in there),
        made=sum(row.created_at >= now - RECENT_S for row in rows),
        ended=sum((row.gone_at or 0) >= now - RECENT_S for row in gone),
        died=sum((row.gone_at or 0) >= now - RECENT_S and bool(row.fault) for row in gone),
        boot_s=boot_s,
        images_per_s=rate,
        cost_per_1000_images=_price_of_images(connection, group.name, now),
    )


def _price_of_images(connection: Connection, group: str, now: float) -> float | None:
    """What 1,000 images cost on its last machines, their idle time included; None where nothing is priced or
    done.
    """
    query = (
        select(machines)
        .where(machines.c.group_name == group, machines.c.joined_at.is_not(None))
        .order_by(machines.c.created_at.desc())
        .limit(LEARNED_FROM)
    )
    last = [made(MachineRow, row) for row in connection.execute(query)]
    cost, images = sum(_cost(row, now) for row in last), sum(row.images_done for row in last)
    return 1000 * cost / images if cost and images else None


def _age_s(row: MachineRow, now: float) -> float:
    return max(0.0, (now if row.gone_at is None else row.gone_at) - row.created_at)


def _cost(row: MachineRow, now: float) -> float:
    return row.price_per_hour * _age_s(row, now) / 3600


def _wishes(connection: Connection, since: float) -> list[MachineWish]:
    recent = func.coalesce(machine_wishes.c.done_at, since) >= since
    query = select(machine_wishes).where(recent).order_by(machine_wishes.c.id.desc()).limit(50)
    return [wish_of(row) for row in connection.execute(query)]


def _events(connection: Connection, last: int) -> list[EventFigures]:
    """Those of machines, of groups, of scaling, and of what outlived a machine."""
    kinds = events.c.kind
    wanted = kinds.like("machine%") | kinds.like("group%") | kinds.in_(("scaled", "leftover"))
    query = select(events).where(wanted).order_by(events.c.id.desc()).limit(last)
    return [
        EventFigures(row.at, row.kind, row.message, row.host, row.worker, row.chunk_id)
        for row in connection.execute(query)
    ]
