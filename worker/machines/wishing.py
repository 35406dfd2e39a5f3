"""What becomes of an operator's wish, in the transaction that the manager holds the lease in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from worker.machines.configuration import GroupConfig, MachinesConfig
from worker.machines.decide import month_cost, month_start, with_limits_of
from worker.machines.effects import new_row
from worker.machines.placement import PlaceView, choose_place
from worker.queue.database.sql import read_now
from worker.queue.machines.machines import (
    GroupRow,
    MachineRow,
    MachineState,
    add_machine,
    change_group,
    change_machine,
    read_cost,
    read_groups,
    read_machine,
    read_machines,
)
from worker.queue.machines.wishes import MachineWish, check_wish, end_wish
from worker.queue.model import QueueRefused

_RESUMED = {"paused": False, "stopped": "", "young_deaths": 0, "retry_at": 0.0, "fault": ""}


def fulfil(connection: Connection, wish: MachineWish, config: MachinesConfig) -> str:
    """What the operator is told. What is asked for and cannot be is refused, and the wish is at its end."""
    try:
        check_wish(wish)  # whoever may insert rows may have left out what add_wish looks at
        outcome = _delete(connection, wish) if wish.kind == "delete" else _of_group(connection, wish, config)
    except QueueRefused as error:
        outcome = f"refused: {error}"
    end_wish(connection, wish.id, outcome)
    return outcome


def _of_group(connection: Connection, wish: MachineWish, config: MachinesConfig) -> str:
    if wish.group not in config.group:
        return f"refused: there is no group {wish.group}"
    if wish.kind == "pause":
        change_group(connection, wish.group, paused=True)
        return "paused"
    if wish.kind == "resume":
        change_group(connection, wish.group, **_RESUMED)
        return "resumed"
    if wish.kind == "limits":
        given = {name: wish.details[name] for name in ("least", "most") if name in wish.details}
        change_group(connection, wish.group, **given)
        return ", ".join(
            f"{name} as configured" if value is None else f"{name} {value}" for name, value in given.items()
        )
    return _create(connection, wish, config)


def _create(connection: Connection, wish: MachineWish, config: MachinesConfig) -> str:
    """Rows of machines that are kept: the rule ends none of them. The group's limits and spending cap hold
    for them too.
    """
    row = next((row for row in read_groups(connection) if row.name == wish.group), GroupRow(wish.group))
    group = with_limits_of(config.group[wish.group], row)
    asked = wish.details.get("place")
    if asked is not None and asked not in {place.name for place in group.place}:
        return f"refused: group {wish.group} has no place {asked}"
    if row.stopped:
        return f"refused: the group is stopped until it is resumed: {row.stopped}"
    now = read_now(connection)
    there = [machine for machine in read_machines(connection) if machine.group_name == wish.group]
    spent = read_cost(connection, wish.group, month_start(now))
    cost = month_cost(spent, sum(machine.price_per_hour for machine in there), now, group.cost_most_month)
    count = int(wish.details.get("count", 1))
    for made in range(count):
        said = f"{made} asked for" if made else "refused"
        if len(there) >= group.most:
            return f"{said}: the group may have {group.most}, and has {len(there) - made}"
        if cost.refusal:
            return f"{said}: {cost.refusal}"
        choice = choose_place(_places(group, there, asked), group.placement, group.spot_share, now)
        if choice.place is None:
            return f"{said}: {choice.reason}"
        place = next(place for place in group.place if place.name == choice.place)
        why = f"{wish.asked_by or 'an operator'} asked for it"
        machine = replace(new_row(config.fleet, wish.group, place, why), kept=True, asked_by=wish.asked_by)
        add_machine(connection, machine)
        there.append(machine)
        cost = cost.with_another(machine.price_per_hour)
    return f"{count} asked for"


def _places(group: GroupConfig, there: Sequence[MachineRow], asked: str | None) -> list[PlaceView]:
    """As the configuration has them; what a cloud leaves is its refusal to tell."""
    return [
        PlaceView(
            place.name,
            of_place := sum(machine.size == place.name for machine in there),
            None if place.most is None else place.most - of_place,
            place.price_per_hour,
            spot=place.spot,
        )
        for place in group.place
        if asked in (None, place.name)
    ]


def _delete(connection: Connection, wish: MachineWish) -> str:
    row = read_machine(connection, wish.machine)
    if row is None or row.state is MachineState.GONE:
        return f"refused: there is no machine {wish.machine}"
    said = f"{wish.asked_by or 'an operator'} asked for its end"
    if wish.details.get("now"):
        change_machine(connection, row.name, f"{said} at once", state=MachineState.DELETING)
        return "is deleted"
    if row.state not in (MachineState.DRAINING, MachineState.DELETING):
        now = read_now(connection)
        change_machine(connection, row.name, said, state=MachineState.DRAINING, leave_at=now)
    return "drains"
