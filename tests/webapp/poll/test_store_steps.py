"""Stores that keep a point each 10 s, 5 min or an hour: all is found, and as fresh as it can be."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from cloud_monitor.metrics.paths import build_path
from tests.services.graphite import run_graphite
from tests.services.support import wait_until
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.feed import feed
from webapp.graphite.steps import Series, SeriesPoint
from webapp.metrics.counters import SharedCounters
from webapp.model.build import GridOrder, build_snapshot
from webapp.model.judge import judge_health
from webapp.model.snapshot_view import Freshness, PollOutcome, SnapshotView
from webapp.model.tree import Value
from webapp.poll.current import Latest
from webapp.poll.poller import Poller
from webapp.poll.state_files import Polled, read_polled, write_polled
from webapp.poll.times import StoreSteps, find_steps
from webapp.settings import Settings

NOW = 1_800_000_000


def beats(grid: str, every_s: int) -> list[Value]:
    """An hour and a half of a collector's heartbeats, up to now."""
    now = int(time.time())
    path = build_path("heartbeat", grid=grid, service="condor")
    return [Value(path, 1.0, at) for at in range((now - 5400) // every_s * every_s, now + 1, every_s)]


def poll(url: str, state_dir: Path) -> SnapshotView:
    settings = Settings(graphite_url=url, state_dir=state_dir, graphite_timeout_s=60, poll_timeout_s=60)
    latest = Latest(state_dir, time.time, GridOrder(), settings.stale_after_s)
    Poller(settings, latest, time.time, SharedCounters(state_dir)).tick()
    assert latest.outcome.error == ""
    return latest.view()


@pytest.mark.parametrize(("retentions", "step_s"), [("10s:1d", 10), ("300s:2d", 300), ("1h:30d", 3600)])
def test_a_carbon_of_other_retentions(tmp_path: Path, retentions: str, step_s: int) -> None:
    with run_graphite(tmp_path / "graphite", retentions=retentions) as graphite:
        values = beats("g", 60)
        feed(graphite, values)
        newest_s = (values[-1].timestamp or 0) // step_s * step_s
        wait_until(lambda: newest_s in graphite_times(graphite.render(values[0].path, since="-2h")), "it")
        view = poll(graphite.url, tmp_path)
    assert view.snapshot.steps_s == ({"g": step_s} if step_s > 60 else {})
    (value,) = view.snapshot.grids[0].heartbeats.values()
    assert (value.timestamp or 0) >= newest_s
    assert view.freshness(value) is Freshness.FRESH


def graphite_times(series: list[dict[str, object]]) -> set[int]:
    points: list[tuple[float | None, int]] = [point for one in series for point in one["datapoints"]]  # type: ignore[attr-defined]
    return {at for value, at in points if value is not None}


def test_grids_of_one_store_that_are_collected_in_other_intervals(
    victoriametrics: VictoriaMetrics, tmp_path: Path
) -> None:
    values = [*beats("steps-often", 60), *beats("steps-seldom", 300)]
    victoriametrics.send((one.path, one.value or 0.0, one.timestamp or 0) for one in values)
    wait_until(lambda: victoriametrics.render(values[-1].path, since="-2h"), "it")
    steps_s = poll(victoriametrics.url, tmp_path).snapshot.steps_s
    assert {grid: step_s for grid, step_s in steps_s.items() if "steps-" in grid} == {"steps-seldom": 300}


def seen(step_s: dict[str, int], path: str, age_s: int) -> Freshness:
    value = Value(path, 1.0, NOW - age_s)
    snapshot = build_snapshot(NOW, [])
    snapshot = type(snapshot)(NOW, (), snapshot.total, {}, {}, steps_s=step_s)
    return SnapshotView(snapshot, PollOutcome(), NOW, 180).freshness(value)


@pytest.mark.parametrize(
    ("path", "stale_from_s"),
    [
        ("grids.slow.jobs.all.idle", 180 + 240),
        ("grids.quick.jobs.all.idle", 180),
        ("util.live_hosts.slow.vm", 180 + 240),
        ("util.live_hosts.quick.vm", 180),
        ("grids.*.jobs.all.idle", 180 + 240),
        ("grids.slow", 180 + 240),
        ("", 180),
    ],
)
def test_a_point_stands_for_its_whole_step(path: str, stale_from_s: int) -> None:
    assert seen({"slow": 300}, path, stale_from_s) is Freshness.FRESH
    assert seen({"slow": 300}, path, stale_from_s + 1) is Freshness.STALE


def test_a_grid_of_a_coarse_step_falls_silent_later() -> None:
    def causes(age_s: int) -> list[str]:
        snapshot = build_snapshot(NOW, [Value("grids.slow.heartbeat.condor", 1.0, NOW - age_s)])
        view = SnapshotView(
            type(snapshot)(NOW, snapshot.grids, snapshot.total, {}, snapshot.values, steps_s={"slow": 300}),
            PollOutcome(finished_at=NOW),
            NOW,
            180,
        )
        return [finding.text for finding in judge_health(view, Settings().health_rules).findings()]

    assert causes(400) == []
    assert causes(500) == ["slow: no data for 8 min"]


def points(*at: int) -> list[SeriesPoint]:
    return [SeriesPoint(one, 1.0) for one in at]


def test_the_shortest_step_of_a_grid_counts_and_gaps_do_not() -> None:
    found = find_steps(
        [
            Series("grids.a.heartbeat.condor", points(*range(0, 6000, 300))),
            Series("grids.a.heartbeat.fleet", points(*range(0, 6000, 60))),
            Series("grids.b.heartbeat.condor", points(0, 60, 660, 720, 1380)),
            Series("grids.c.heartbeat.condor;env=prod", points(*range(0, 6000, 600))),
            Series("grids.d.heartbeat.condor", []),
        ],
        NOW,
    )
    assert found == StoreSteps(NOW, {"c": 600})
    assert (found.window_s(300), StoreSteps().window_s(300)) == (1200, 300)
    assert [found.is_known(NOW + s) for s in (-1, 0, 3599, 3600)] == [False, True, True, False]


def test_steps_come_back_from_the_file(tmp_path: Path) -> None:
    polled = Polled(
        float(NOW), [Value("grids.c.heartbeat.condor", 1.0, NOW)], {}, StoreSteps(5.0, {"c": 600})
    )
    write_polled(tmp_path, polled)
    assert read_polled(tmp_path) == polled
