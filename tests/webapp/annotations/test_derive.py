"""What two snapshots, one after the other, say has happened."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from webapp.annotations.derive import derive
from webapp.model.build import build_snapshot
from webapp.model.tree import Snapshot, Value

AT = 1_760_000_040
ENABLED, QUOTA = "grids.belle.clouds.cern.enabled", "grids.belle.clouds.cern.quota"
LOST, ERROR = "grids.belle.clouds.cern.lost.small", "grids.belle.clouds.cern.vms.small.error"
TOTAL = "grids.belle.clouds.cern.vms.small.total"
SCHEDD, POINTS = "grids.belle.condor.schedd.head.age_s", "grids.belle.collector.points"
Figures = Mapping[str, float | tuple[float, int]]


def snapshot(at: int, figures: Figures) -> Snapshot:
    """`at` is when it was taken; a figure's newest point is of then, or as it says."""
    values = [
        Value(path, float(given[0]), given[1]) if isinstance(given, tuple) else Value(path, float(given), at)
        for path, given in figures.items()
    ]
    return build_snapshot(float(at), values)


def happened(before: Figures, after: Figures, later_s: int = 60) -> list[tuple[str, str, float]]:
    found = list(derive(snapshot(AT, before), snapshot(AT + later_s, after)))
    assert all(one.until == one.at for one in found)
    return [(one.kind, one.text, one.at - AT) for one in found]


def test_nothing_happens_while_nothing_changes() -> None:
    figures = {ENABLED: 1, QUOTA: 50, LOST: 3, TOTAL: 40, SCHEDD: 900, POINTS: 70}
    assert happened(figures, {**figures, SCHEDD: 960, POINTS: 71}) == []


@pytest.mark.parametrize(
    ("was", "is_now", "told"),
    [
        (1, 0, [("cloud_disabled", "cern disabled", 60)]),
        (0, 1, [("cloud_enabled", "cern enabled", 60)]),
        (1, 2, []),
    ],
)
def test_a_cloud_is_enabled_or_disabled(was: float, is_now: float, told: object) -> None:
    assert happened({ENABLED: was}, {ENABLED: is_now}) == told


def test_a_quota_changes() -> None:
    assert happened({QUOTA: 50}, {QUOTA: 80.5}) == [("quota", "quota of cern 50 → 80.5", 60)]


def test_what_is_new_or_gone_has_not_changed() -> None:
    assert happened({}, {ENABLED: 0, QUOTA: 5, LOST: 9, SCHEDD: 3, POINTS: 3}) == []
    assert happened({ENABLED: 0, QUOTA: 5, LOST: 0, SCHEDD: 900}, {POINTS: 3}) == []


def test_the_same_point_seen_again_is_no_change() -> None:
    """Polls go on while a grid is silent: its newest point is the old one."""
    assert happened({QUOTA: (50, AT - 600)}, {QUOTA: (60, AT - 600)}) == []


@pytest.mark.parametrize(
    ("total", "lost", "error", "told"),
    [
        (100, 4, 0, ""),
        (100, 5, 0, "5 of 100 VMs"),
        (100, 0, 5, "5 of 100 VMs"),
        (100, 3, 2, "5 of 100 VMs"),
        (20, 4, 0, "4 of 20 VMs"),
        (21, 4, 0, ""),
        (5, 1, 0, "1 of 5 VMs"),
        (0, 4, 0, ""),
        (100, 9, -9, ""),
    ],
)
def test_five_vms_or_a_fifth_of_them_are_lost_at_once(
    total: float, lost: float, error: float, told: str
) -> None:
    before = {TOTAL: total, LOST: 10, ERROR: 10}
    found = happened(before, {TOTAL: total, LOST: 10 + lost, ERROR: 10 + error})
    assert [(kind, at) for kind, _, at in found] == ([("vms_lost", 60)] if told else [])
    assert told in "".join(text for _, text, _ in found)


def test_vms_that_come_back_are_no_loss() -> None:
    assert happened({TOTAL: 50, LOST: 30}, {TOTAL: 50, LOST: 0}) == []


def test_a_daemon_that_is_younger_than_it_was_was_restarted_then() -> None:
    assert happened({SCHEDD: 90_000}, {SCHEDD: 25}) == [("restart", "schedd head restarted", 35)]
    assert happened({SCHEDD: 90_000}, {SCHEDD: 89_990}) == []  # a slow answer


def test_a_collector_is_back_only_if_it_was_known_to_be_silent() -> None:
    was_silent = {POINTS: (70, AT - 900)}
    assert happened(was_silent, {POINTS: 71}) == [("restart", "collector of belle is back after 16 min", 60)]
    store_was_away = {POINTS: (70, AT - 20)}  # the poll before was an hour ago
    assert happened(store_was_away, {POINTS: 71}, later_s=3600) == []


def test_a_further_host_and_hostile_names_have_their_own_place() -> None:
    path = "grids.belle.hosts.sched-2.collector.points"
    before, after = snapshot(AT, {path: (7, AT - 900)}), snapshot(AT + 60, {path: 7})
    (one,) = derive(before, after)
    assert (one.place, one.grid) == ("belle/sched-2", "belle")


def test_two_that_see_the_same_give_it_the_same_key() -> None:
    before, after = snapshot(AT, {QUOTA: 1, ENABLED: 1}), snapshot(AT + 60, {QUOTA: 2, ENABLED: 0})
    keys = [one.key for one in derive(before, after)]
    assert keys == [one.key for one in derive(before, after)]
    assert len(set(keys)) == 2


GROUP = "grids.belle.fleet.machines.workers"
TOLD, OLD, NEW = f"{GROUP}.states.total", f"{GROUP}.each.m-old.age_s", f"{GROUP}.each.m-new.age_s"


def test_machines_are_created_and_end() -> None:
    before = {TOLD: 1, OLD: 5000}
    assert happened(before, {TOLD: 1, OLD: 5060}) == []
    assert happened(before, {TOLD: 2, OLD: 5060, NEW: 40}) == [("machine_created", "m-new created", 20)]
    assert happened(before, {TOLD: 0, OLD: (5000, AT)}) == [("machine_ended", "m-old ended", 0)]
    assert happened(before, {TOLD: 0}) == [("machine_ended", "m-old ended", 0)]


def test_figures_that_stay_away_are_no_machines_that_ended() -> None:
    before = {TOLD: 1, OLD: 5000}
    assert happened(before, {TOLD: (1, AT), OLD: (5000, AT)}) == [], "nothing of the group is new"
    assert happened(before, {}) == []
    assert happened({}, {TOLD: 2, OLD: 5000, NEW: 40}) == [], "the group was not known"
    assert happened({TOLD: 1}, {TOLD: 1, OLD: 5000}) == [], "it was left out before"
