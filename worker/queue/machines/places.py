"""Places where machines are made, as the queue knows them: what their last machines taught, which of them are
paused after a refusal, and whether any carries what a batch states. A pause outlives the manager that met the
refusal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import Connection, select

from worker.queue import StatedNeed
from worker.queue.machines.machines import LEARNED_FROM, GroupRow, MachineRow, change_group, made, read_groups
from worker.queue.schema import machines

_KEY = "refused"  # in a group's memory
FORGOTTEN_S = 86_400.0  # after which a refusal is no longer counted as one in a row


@dataclass(frozen=True, slots=True)
class LearnedPlace:
    """Of the last machines of a group in one place; None: none has told yet."""

    boot_s: float | None  # from the machine's row to its first report
    images_per_s: float | None  # of one machine while it works


@dataclass(frozen=True, slots=True)
class PlaceRefusal:
    times: int  # in a row
    retry_at: float
    why: str  # in the cloud's words


def read_learned_places(connection: Connection, group: str) -> dict[str, LearnedPlace]:
    """By the place's name, of its last 20 machines that reported."""
    query = (
        select(machines)
        .where(machines.c.group_name == group, machines.c.joined_at.is_not(None))
        .order_by(machines.c.created_at.desc())
        .limit(10 * LEARNED_FROM)
    )
    rows = defaultdict(list)
    for row in connection.execute(query):
        rows[row.size].append(made(MachineRow, row))
    return {place: _learned([*islice(found, LEARNED_FROM)]) for place, found in rows.items()}


def _learned(rows: list[MachineRow]) -> LearnedPlace:
    boots_s = [row.joined_at - row.created_at for row in rows if row.joined_at is not None]
    images, busy_s = sum(row.images_done for row in rows), sum(row.busy_s for row in rows)
    return LearnedPlace(
        sum(boots_s) / len(boots_s) if boots_s else None, images / busy_s if images and busy_s else None
    )


def refusals_of(groups: Mapping[str, GroupRow], now: float) -> dict[str, PlaceRefusal]:
    """By the place's name; of a place that several groups have, the one that lasts longest."""
    found: dict[str, PlaceRefusal] = {}
    for group in groups.values():
        for place, (times, retry_at, why) in group.memory.get(_KEY, {}).items():
            known = found.get(place)
            if retry_at > now - FORGOTTEN_S and (known is None or known.retry_at < retry_at):
                found[place] = PlaceRefusal(times, retry_at, why)
    return found


def refusals_kept(connection: Connection, group: str) -> dict[str, object]:
    """What a group's memory has of refusals, for when the rest of it is written anew."""
    refused = _row(connection, group).memory.get(_KEY)
    return {_KEY: refused} if refused is not None else {}


def note_refusal(connection: Connection, group: str, place: str, refusal: PlaceRefusal) -> None:
    row = _row(connection, group)
    refused = {**row.memory.get(_KEY, {}), place: [refusal.times, refusal.retry_at, refusal.why]}
    change_group(connection, group, memory={**row.memory, _KEY: refused})


def forget_refusal(connection: Connection, place: str) -> None:
    """In every group: the place has given a machine."""
    for row in read_groups(connection):
        refused = dict(row.memory.get(_KEY, {}))
        if refused.pop(place, None) is not None:
            change_group(connection, row.name, memory={**row.memory, _KEY: refused})


def _row(connection: Connection, group: str) -> GroupRow:
    return next((row for row in read_groups(connection) if row.name == group), GroupRow(group))


def why_nothing_carries(need: StatedNeed, groups: Iterable[GroupRow], hosts: Mapping[str, StatedNeed]) -> str:
    """By name, what each group's largest place has; "" where one carries it, a host does, or no group is
    known, for then workers come from elsewhere.
    """
    known = {group.name: group.places for group in groups if group.places}
    rooms = [offer.room_of_worker for places in known.values() for offer in places]
    if not known or any(need.fits(room) for room in (*rooms, *hosts.values())):
        return ""
    largest = (
        f"{name} ({'; '.join(f'{offer.place}: {offer.room_of_worker}' for offer in places)})"
        for name, places in sorted(known.items())
    )
    return f"no group of machines carries a worker of {need}: {', '.join(largest)}"
