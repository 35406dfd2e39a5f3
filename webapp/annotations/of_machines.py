"""Machines of the fleet that were created or have ended between two snapshots (pure).

Each machine that there is has an age; one that has none any more, while its group is told of, has ended.
"""

from __future__ import annotations

from collections.abc import Iterator

from cloud_monitor.metrics.paths import match_path
from webapp.annotations.model import MACHINE_CREATED, MACHINE_ENDED, Annotation, at_once
from webapp.model.tree import Snapshot, Value, path_of

_AGES, _EACH = ".age_s", ".fleet.machines."
YOUNG_S = 900.0  # an older one that is new here was left out before: a cap, or a store that was away


def machines_between(before: Snapshot, after: Snapshot) -> Iterator[Annotation]:
    """Those created first."""
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
        if not path.endswith(_AGES) or _EACH not in path:
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
