"""What becomes of an operator's wish, in the transaction that the manager holds the lease in."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from worker.machines.configuration import MachinesConfig
from worker.machines.effects import new_row
from worker.machines.placement import PlaceView, choose_place
from worker.queue.machines import (
    MachineState,
    add_machine,
    change_group,
    change_machine,
    read_machine,
    read_machines,
)
from worker.queue.model import QueueRefused
from worker.queue.sql import read_now
from worker.queue.wishes import MachineWish, check_wish, end_wish

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
    """Rows of machines that are kept: the rule ends none of them."""
    group = config.group[wish.group]
    there = [row for row in read_machines(connection) if row.group_name == wish.group]
    count = min(int(wish.details.get("count", 1)), group.most - len(there))
    asked = wish.details.get("place")
    if asked is not None and asked not in {place.name for place in group.place}:
        return f"refused: group {wish.group} has no place {asked}"
    places = [
        PlaceView(place.name, 0, price_per_hour=place.price_per_hour)
        for place in group.place
        if asked in (None, place.name)
    ]
    chosen = choose_place(places, group.placement, 1, read_now(connection)).place
    place = next(place for place in group.place if place.name == chosen)
    for _ in range(max(0, count)):
        row = new_row(config.fleet, wish.group, place, f"{wish.asked_by or 'an operator'} asked for it")
        add_machine(connection, replace(row, kept=True, asked_by=wish.asked_by))
    if count < int(wish.details.get("count", 1)):
        return f"{max(0, count)} asked for: the group may have {group.most}, and has {len(there)}"
    return f"{count} asked for"


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
