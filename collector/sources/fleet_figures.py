"""The fleet's batches, groups and machines as the queue's figures show them (pure): which are sent, and what
of each.

Batches with work left come first, in the order in which they are read, then those that ended within ENDED_S,
the last one first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cloud_monitor.metrics.catalog import UNITS
from cloud_monitor.metrics.paths import build_path, clean
from worker.queue.statistics.batches import BatchHistory, Forecast, forecast, in_order, left_of
from worker.queue.statistics.machines import FleetMachines, GroupFigures, MachineFigures, MachineState
from worker.queue.statistics.queue import BatchFigures, QueueFigures

TOTAL = "total"
ENDED_S = 3600.0  # so long the figures of a batch are sent after its end
_BYTES_IN_MB = UNITS["MB"].factor
_OF_DECISION = ("costing", "cost_per_hour", "cost_month", "cost_projected", "cost_most")


def sent_batches(figures: QueueFigures, batches_max: int) -> tuple[BatchFigures, ...]:
    """Of one run."""
    return _candidates(figures)[:batches_max]


def _candidates(figures: QueueFigures) -> tuple[BatchFigures, ...]:
    left = [batch for batch in in_order(figures.batches) if left_of(batch)]
    running = [batch for batch in left if batch.chunks["active"]]
    waiting = [batch for batch in left if not batch.chunks["active"]]
    ended = [
        batch
        for batch in figures.batches
        if not left_of(batch) and batch.ended_at is not None and figures.at - batch.ended_at <= ENDED_S
    ]
    ended.sort(key=lambda batch: -(batch.ended_at or 0.0))
    return (*running, *waiting, *ended)


def batch_values(
    grid: str, figures: QueueFigures, histories: Mapping[str, BatchHistory], batches_max: int
) -> Iterator[tuple[str, float]]:
    """What has no value now is left out."""
    times = forecast(figures)
    for batch in sent_batches(figures, batches_max):
        names = {"grid": grid, "batch": clean(batch.name)}
        for figure, value in _figures(batch, times[batch.name], histories.get(batch.name), figures.at):
            if value is not None:
                yield build_path(f"fleet_batch_{figure}", **names), value
    yield (
        build_path("fleet_overflow", grid=grid, names="batches"),
        max(0, len(_candidates(figures)) - batches_max),
    )


def _figures(
    batch: BatchFigures, found: Forecast, history: BatchHistory | None, at: float
) -> Iterator[tuple[str, float | None]]:
    yield "images", sum(batch.images.values())
    yield "waiting", found.left
    yield "read", batch.images["done"]
    yield "failed", batch.images["failed"]
    yield "doubtful", batch.doubtful
    yield "images_per_s", found.images_per_s
    yield "paused", batch.paused
    remaining_s = 0.0 if not found.left else None if found.ready_at is None else found.ready_at - at
    yield "remaining_s", remaining_s
    if batch.deadline is not None and found.left:
        yield "deadline_s", batch.deadline - at
        yield "margin_s", None if found.ready_at is None else batch.deadline - found.ready_at
    yield "met", batch.met
    yield "missed", batch.missed
    yield "cpu_s", batch.cpu_s
    if history is not None:
        yield "claims", history.attempts
        yield "retries", history.retries
        yield "wall_s", history.wall_s
        yield "peak_memory_mb", history.peak_memory_bytes / _BYTES_IN_MB
        yield "cost", history.cost


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
