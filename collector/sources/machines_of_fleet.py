"""The fleet's machines and their groups as the queue's figures show them (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cloud_monitor.metrics.paths import build_path, clean
from worker.queue.statistics.machines import FleetMachines, GroupFigures, MachineFigures, MachineState

TOTAL = "total"
_OF_DECISION = ("costing", "cost_per_hour", "cost_month", "cost_projected", "cost_most")


def machine_values(grid: str, found: FleetMachines | None, names_max: int) -> Iterator[tuple[str, float]]:
    """Of at most `names_max` groups and so many machines, those with the most first; nothing of a fleet that
    has never had any.
    """
    if found is None or not (found.groups or found.machines):
        return
    if found.manager_silent_s is not None:
        yield build_path("fleet_manager_silent", grid=grid), found.manager_silent_s
    groups = sorted(found.groups, key=lambda group: (-group.there, group.row.name))
    for group in groups[:names_max]:
        yield from _group(grid, group)
    yield build_path("fleet_overflow", grid=grid, names="groups"), len(groups[names_max:])
    there = [one for one in found.machines if one.row.state is not MachineState.GONE]
    yield from _machines(grid, sorted(there, key=lambda one: (-one.age_s, one.row.name)), names_max)


def _group(grid: str, group: GroupFigures) -> Iterator[tuple[str, float]]:
    """What is not known is left out."""
    names = {"grid": grid, "group": clean(group.row.name)}
    for state, count in (*group.states.items(), (TOTAL, group.there)):
        yield build_path("fleet_machines_states", **names, state=state), count
    if group.row.reason:
        yield build_path("fleet_machines_decision", **names, reason=clean(group.row.reason)), 1
    for name, count in (("up", group.made), ("down", group.ended), ("failed", group.died)):
        yield build_path(f"fleet_scaling_{name}", **names), count
    rooms = [offer.room for offer in group.row.places if offer.room is not None]
    used = [offer.quota_pct for offer in group.row.places]
    figures: dict[str, float | None] = {
        "wanted": group.row.wanted,
        "failed": group.failed,
        "room": sum(rooms) if rooms else None,
        "quota_pct": max(used, default=None),
        "boot_s": group.boot_s,
        "images_per_s": group.images_per_s,
        "cost_per_1000_images": group.cost_per_1000_images,
        "stopped": bool(group.row.stopped),
        "paused": group.row.paused,
        **{name: group.figure(name) for name in _OF_DECISION},
    }
    for name, value in figures.items():
        if value is not None:
            yield build_path(f"fleet_machines_{name}", **names), value


def _machines(grid: str, machines: Sequence[MachineFigures], names_max: int) -> Iterator[tuple[str, float]]:
    for one in machines[:names_max]:
        names = {"grid": grid, "group": clean(one.row.group_name or "none"), "machine": clean(one.row.name)}
        for name, value in (
            ("cost", one.cost),
            ("age_s", one.age_s),
            ("images_done", one.row.images_done),
        ):
            yield build_path(f"fleet_machine_{name}", **names), value
    yield build_path("fleet_overflow", grid=grid, names="machines"), len(machines[names_max:])
