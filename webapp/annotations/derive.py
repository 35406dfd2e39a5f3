"""What happened between two snapshots: clouds, quotas, daemons, collectors, machines, VMs lost (pure).

Only what is known in both counts, at the time of its newest point: a store that was away for an hour does
not look like a collector that was.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloud_monitor.metrics.paths import match_path
from cloud_monitor.system.text import duration_text, format_number
from webapp.annotations.model import (
    CLOUD_DISABLED,
    CLOUD_ENABLED,
    MACHINE_CREATED,
    MACHINE_ENDED,
    QUOTA,
    RESTART,
    VMS_LOST,
    Annotation,
    at_once,
)
from webapp.model.tree import Cloud, Grid, Host, Snapshot, Value, path_of

LOST_AT_ONCE = 5.0  # VMs, or
LOST_SHARE = 0.2  # of a cloud's VMs
GAP_S = 180.0  # a collector that was silent for longer has stopped
_AGE, _DAEMONS = ".age_s", ".condor."
_AGE_SLACK_S = 30.0  # ages are taken at another moment than they are sent
_MACHINES = ".fleet.machines."
YOUNG_S = 900.0  # an older machine that is new here was left out before: a cap, or a store that was away


def derive(before: Snapshot, after: Snapshot) -> Iterator[Annotation]:
    """In the order of grids and clouds."""
    grids = {grid.name: grid for grid in before.grids}
    for grid in after.grids:
        if (was := grids.get(grid.name)) is not None:
            yield from _of_grid(was, grid, before.taken_at)
    yield from _restarted(before, after)
    yield from machines_between(before, after)


def _of_grid(before: Grid, after: Grid, before_at: float) -> Iterator[Annotation]:
    clouds = {cloud.name: cloud for cloud in before.clouds}
    for cloud in after.clouds:
        if (was := clouds.get(cloud.name)) is not None:
            yield from _of_cloud(was, cloud)
    hosts = {host.name: host for host in (before.own, *before.hosts)}
    for host in (after.own, *after.hosts):
        if (before_host := hosts.get(host.name)) is not None:
            yield from _resumed(after, before_host, host, before_at, host is after.own)


def _of_cloud(before: Cloud, after: Cloud) -> Iterator[Annotation]:
    names = (after.grid, after.name)
    if change := _changed(before.enabled, after.enabled):
        was, is_now, at = change
        if bool(was) != bool(is_now):
            kind, word = (CLOUD_ENABLED, "enabled") if is_now else (CLOUD_DISABLED, "disabled")
            yield at_once(at, kind, f"{after.name} {word}", *names, key=_key(kind, at, *names))
    if change := _changed(before.quota, after.quota):
        was, is_now, at = change
        text = f"quota of {after.name} {format_number(was)} → {format_number(is_now)}"
        yield at_once(at, QUOTA, text, *names, key=_key(QUOTA, at, *names))
    yield from _lost(before, after)


def _lost(before: Cloud, after: Cloud) -> Iterator[Annotation]:
    parts = (
        (before.total.lost, after.total.lost),
        (before.total.states.get("error"), after.total.states.get("error")),
    )
    changes = [_changed(was, is_now) for was, is_now in parts]
    rise = sum(is_now - was for was, is_now, _ in filter(None, changes))
    total = before.total.states.get("total")
    vms = 0.0 if total is None or total.value is None else total.value
    if rise >= LOST_AT_ONCE or (vms and rise >= LOST_SHARE * vms and rise >= 1):
        at = max(at for _, _, at in filter(None, changes))
        names = (after.grid, after.name)
        text = f"{after.name}: {format_number(rise)} of {format_number(vms)} VMs lost or in error at once"
        yield at_once(at, VMS_LOST, text, *names, key=_key(VMS_LOST, at, *names))


def _resumed(grid: Grid, before: Host, after: Host, before_at: float, is_own: bool) -> Iterator[Annotation]:
    """A collector that was known to be silent, and is not any more."""
    was, is_now = before.collector.get("points"), after.collector.get("points")
    if was is None or is_now is None or was.timestamp is None or is_now.timestamp is None:
        return
    if is_now.timestamp > was.timestamp and before_at - was.timestamp > GAP_S:
        names = (grid.name,) if is_own else (grid.name, after.name)
        gap = duration_text(is_now.timestamp - was.timestamp)
        text = f"collector of {names[-1]} is back after {gap}"
        yield at_once(is_now.timestamp, RESTART, text, *names, key=_key(RESTART, is_now.timestamp, *names))


def _restarted(before: Snapshot, after: Snapshot) -> Iterator[Annotation]:
    """Daemons that are younger than they were."""
    for path, is_now in after.values.items():
        if not path.endswith(_AGE) or _DAEMONS not in path:
            continue
        was, matched = before.values.get(path), match_path(path)
        change = _changed(was, is_now)
        if change is None or matched is None or change[1] + _AGE_SLACK_S >= change[0]:
            continue
        _, names = matched
        at = change[2] - change[1]
        daemon = path.split(".")[-3]
        text = f"{daemon} {names.get('name', '')} restarted".replace("  ", " ")
        yield at_once(at, RESTART, text, names["grid"], key=_key(RESTART, at, path))


def _changed(before: Value | None, after: Value | None) -> tuple[float, float, int] | None:
    """What it was, what it is, and since which newest point; None where it is the same or not known twice."""
    if before is None or after is None or before.value is None or after.value is None:
        return None
    if before.timestamp is None or after.timestamp is None or after.timestamp <= before.timestamp:
        return None
    if before.value == after.value:
        return None
    return before.value, after.value, after.timestamp


def _key(kind: str, at: float, *names: str) -> str:
    return " ".join((kind, f"{at:.0f}", *names))


def machines_between(before: Snapshot, after: Snapshot) -> Iterator[Annotation]:
    """Machines of the fleet that were created, then those that have ended.

    Each machine that there is has an age; one that has none any more, while its group is told of, has ended.
    """
    was, is_now = dict(_machines(before)), dict(_machines(after))
    for names, age in is_now.items():
        if names in was or _group_at(before, *names[:2]) is None:
            continue
        if age.value is not None and age.timestamp is not None and age.value < YOUNG_S:
            yield _note(MACHINE_CREATED, "created", age.timestamp - age.value, names)
    for names in was.keys() - is_now.keys():
        ended_at = was[names].timestamp
        if ended_at is not None and _group_at(after, *names[:2]) is not None:
            yield _note(MACHINE_ENDED, "ended", ended_at, names)


def _machines(snapshot: Snapshot) -> Iterator[tuple[tuple[str, str, str], Value]]:
    """(grid, group, machine) of each that is told of as newly as its group is."""
    for path, age in snapshot.values.items():
        if not path.endswith(_AGE) or _MACHINES not in path:
            continue
        matched = match_path(path)
        if matched is None or matched[0].key != "fleet_machine_age_s":
            continue
        grid, group, machine = (matched[1][name] for name in ("grid", "group", "machine"))
        told_at = _group_at(snapshot, grid, group)
        if told_at is not None and age.timestamp is not None and age.timestamp >= told_at:
            yield (grid, group, machine), age


def _group_at(snapshot: Snapshot, grid: str, group: str) -> int | None:
    """When the group was told of last."""
    total = snapshot.values.get(path_of("fleet_machines_states", grid=grid, group=group, state="total"))
    return None if total is None else total.timestamp


def _note(kind: str, word: str, at: float, names: tuple[str, str, str]) -> Annotation:
    grid, group, machine = names
    return at_once(
        at, kind, f"{machine} {word}", grid, "fleet", machine, key=f"{kind} {grid} {group} {machine}"
    )
