"""Machines and their groups as the queue keeps them, and what it knows that the manager decides by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Row, and_, func, or_, select, update

from worker.queue.claims import deadline_of
from worker.queue.database.sql import db_now, insert_or_ignore, insert_or_replace, storable
from worker.queue.hold import is_held
from worker.queue.hosts import add_event
from worker.queue.model import NO_NEED, StatedNeed
from worker.queue.schema import ACTIVE, UNFINISHED, batches, chunks, hosts, machine_groups, machines
from worker.queue.statistics.figures import SILENT_S

T = TypeVar("T")
LEARNED_FROM = 20  # machines, the last of a group


class MachineState(StrEnum):
    """Where a machine stands, in order."""

    WISHED = "wished"  # the row is written, the cloud perhaps not asked yet
    BOOTING = "booting"  # the cloud has it, its supervisor has not reported
    RUNNING = "running"  # its supervisor has reported
    DRAINING = "draining"  # told to leave: takes no further claim
    DELETING = "deleting"  # the cloud was asked to end it, and lists it still
    GONE = "gone"


STAYING = frozenset({MachineState.WISHED, MachineState.BOOTING, MachineState.RUNNING})


@dataclass(frozen=True, slots=True)
class MachineRow:
    name: str
    group_name: str
    provider: str
    size: str
    state: MachineState
    created_at: float
    provider_id: str | None = None
    reason: str = ""
    fault: str = ""
    asked_by: str = ""
    kept: bool = False
    spot: bool = False
    price_per_hour: float = 0
    images_done: int = 0
    busy_s: float = 0
    joined_at: float | None = None
    leave_at: float | None = None
    missing_at: float | None = None
    gone_at: float | None = None
    cloud_size: str = ""
    cores: float = 0
    memory_gb: float = 0
    storage_gb: float = 0
    bandwidth_mbps: float = 0
    gpus: float = 0


@dataclass(frozen=True, slots=True)
class GroupRow:
    name: str
    paused: bool = False
    least: int | None = None
    most: int | None = None
    young_deaths: int = 0
    retry_at: float = 0
    stopped: str = ""
    fault: str = ""
    wanted: int = 0
    reason: str = ""
    text: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    decided_at: float | None = None
    offers: Sequence[Mapping[str, Any]] = ()

    @property
    def places(self) -> tuple[Offer, ...]:
        """Those that this program understands."""
        known = {item.name for item in fields(Offer)}
        return tuple(
            Offer(**{name: value for name, value in offer.items() if name in known}) for offer in self.offers
        )


class QueuedWork(NamedTuple):
    deadline: float | None
    images: int  # without a result
    need: StatedNeed = NO_NEED


@dataclass(frozen=True, slots=True)
class Offer:
    """One of a group's places, as its cloud told the manager last. 0: not known."""

    place: str  # its name, as a machine's `size`
    preset: str = ""
    cloud_size: str = ""
    cores: float = 0
    memory_gb: float = 0
    storage_gb: float = 0
    bandwidth_mbps: float = 0
    gpus: float = 0
    price_per_hour: float = 0
    spot: bool = False
    room: int | None = None  # how many more, by quota and configuration; None: no limit is known
    quota_pct: float = 0  # used of what the account may have, of what is nearest to its limit
    fault: str = ""  # why it cannot be had now
    images_per_s: float = 0  # of one machine, as learned
    boot_s: float = 0  # as learned

    @property
    def cost_per_1000_images(self) -> float | None:
        """Of a machine that always works; None where price or rate are not known."""
        known = self.price_per_hour and self.images_per_s
        return 1000 * self.price_per_hour / 3600 / self.images_per_s if known else None

    @property
    def room_of_worker(self) -> StatedNeed:
        """The most that one worker can have there; the system itself takes a tenth of the memory."""
        return StatedNeed(int(self.memory_gb * 900) or None, self.cores or None)


@dataclass(frozen=True, slots=True)
class HostWord:
    """What a machine's supervisor said last."""

    seen_at: float
    workers: int
    leaving: bool  # it takes no further claim
    cpu_pct: float
    images_done: int
    busy_s: float
    idle_s: float  # without a chunk


def read_machines(connection: Connection, gone_since: float | None = None) -> list[MachineRow]:
    """Those there are, by name; with `gone_since` also those gone since that time."""
    there = machines.c.state != MachineState.GONE
    wanted = there if gone_since is None else or_(there, machines.c.gone_at >= gone_since)
    return [
        made(MachineRow, row)
        for row in connection.execute(select(machines).where(wanted).order_by(machines.c.name))
    ]


def read_groups(connection: Connection) -> list[GroupRow]:
    query = select(machine_groups).order_by(machine_groups.c.name)
    return [made(GroupRow, row) for row in connection.execute(query)]


def read_rooms_of_hosts(connection: Connection) -> dict[str, StatedNeed]:
    """The most that one worker could have on each host that reports."""
    query = select(hosts.c.name, hosts.c.figures).where(hosts.c.seen_at >= db_now() - SILENT_S)
    return {
        name: StatedNeed(int(figures.get("memory_limit_bytes", 0) / 1e6) or None, figures.get("cpus") or None)
        for name, figures in connection.execute(query)
    }


def read_machine(connection: Connection, name: str) -> MachineRow | None:
    row = connection.execute(select(machines).where(machines.c.name == name)).one_or_none()
    return None if row is None else made(MachineRow, row)


def read_host_words(connection: Connection) -> dict[str, HostWord]:
    query = select(hosts).where(
        hosts.c.name.in_(select(machines.c.name).where(machines.c.state != MachineState.GONE))
    )
    return {row.name: _host_word(row) for row in connection.execute(query)}


def _host_word(row: Row[Any]) -> HostWord:
    figures = row.figures
    return HostWord(
        seen_at=row.seen_at,
        workers=row.workers,
        leaving=bool(figures.get("leaving", 0)),
        cpu_pct=row.cpu_pct,
        images_done=int(figures.get("images_done", 0)),
        busy_s=float(figures.get("busy_s", 0)),
        idle_s=float(figures.get("idle_s", 0)),
    )


def read_work(connection: Connection) -> tuple[QueuedWork, ...]:
    """Images without a result by when they are due and what they need; paused ones, and all while the fleet
    is held, only while they are worked on.
    """
    is_waiting = and_(~chunks.c.paused, ~is_held())
    query = (
        select(
            chunks.c.due,
            chunks.c.memory_mb,
            chunks.c.cpus,
            func.sum(chunks.c.images_total - chunks.c.images_done),
        )
        .where(chunks.c.state.in_(UNFINISHED), or_(is_waiting, chunks.c.state == ACTIVE))
        .group_by(chunks.c.due, chunks.c.memory_mb, chunks.c.cpus)
        .order_by(chunks.c.due)
    )
    return tuple(
        QueuedWork(deadline_of(due), int(images), StatedNeed(memory_mb, cpus))
        for due, memory_mb, cpus, images in connection.execute(query)
        if images > 0
    )


def read_learned(connection: Connection, group: str) -> tuple[float | None, float | None]:
    """(seconds from a machine's row to its first report, images a second of one machine while it works), of
    the group's last machines; None where none has told yet.
    """
    last = (
        select(machines)
        .where(machines.c.group_name == group, machines.c.joined_at.is_not(None))
        .order_by(machines.c.created_at.desc())
        .limit(LEARNED_FROM)
        .subquery()
    )
    boot_s, done, busy_s = connection.execute(
        select(
            func.avg(last.c.joined_at - last.c.created_at),
            func.sum(last.c.images_done),
            func.sum(last.c.busy_s),
        )
    ).one()
    rate = float(done) / busy_s if busy_s and done else None
    return (None if boot_s is None else float(boot_s)), rate


def read_arrivals(connection: Connection, since: float) -> list[tuple[float, float | None, int]]:
    """(when it came, its deadline, images) of each batch since then."""
    query = (
        select(batches.c.created_at, batches.c.deadline, func.sum(chunks.c.images_total))
        .join(chunks, chunks.c.batch_id == batches.c.id)
        .where(batches.c.created_at >= since)
        .group_by(batches.c.id, batches.c.created_at, batches.c.deadline)
    )
    return [(at, deadline, int(images)) for at, deadline, images in connection.execute(query)]


def read_cost(connection: Connection, group: str, since: float) -> float:
    """What the group's machines have cost since then, each from its row on until it was gone."""
    now = connection.execute(select(db_now())).scalar_one()
    query = select(machines).where(
        machines.c.group_name == group, or_(machines.c.gone_at.is_(None), machines.c.gone_at > since)
    )
    cost = 0.0
    for row in connection.execute(query):
        until = now if row.gone_at is None else row.gone_at
        cost += row.price_per_hour * (until - max(since, row.created_at)) / 3600
    return cost


def add_machine(connection: Connection, row: MachineRow) -> None:
    """Before the cloud is asked for it. One that was gone and is there after all takes the new values."""
    values = {item.name: getattr(row, item.name) for item in fields(row)}
    values.update(created_at=db_now(), state=row.state.value, reason=storable(row.reason))
    connection.execute(insert_or_replace(connection, machines, list(values)).values(**values))
    add_event(connection, f"machine_{row.state}", f"{row.name}: {row.reason}", host=row.name)


def change_machine(connection: Connection, name: str, reason: str, **values: Any) -> None:
    """A new state is an event; `reason` is its sentence."""
    before = read_machine(connection, name)
    if before is None:
        return
    state = MachineState(values.pop("state", before.state))
    if state is not before.state:
        values["reason"] = storable(reason)
        add_event(connection, f"machine_{state}", f"{name}: {reason}", host=name)
    if state is MachineState.GONE and before.gone_at is None:
        values["gone_at"] = db_now()
    connection.execute(update(machines).where(machines.c.name == name).values(state=state.value, **values))


def change_group(connection: Connection, name: str, **values: Any) -> None:
    connection.execute(insert_or_ignore(connection, machine_groups).values(name=name))
    connection.execute(update(machine_groups).where(machine_groups.c.name == name).values(**values))


def made(kind: type[T], row: Row[Any]) -> T:
    values = {item.name: getattr(row, item.name) for item in fields(kind)}  # type: ignore[arg-type]
    if "state" in values:
        values["state"] = MachineState(values["state"])
    return kind(**values)
