"""A clock that is ahead: found by when points arrive, shown, and taken off ages."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.services.graphite import Graphite
from tests.services.support import wait_until
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.feed import feed
from webapp import create_app
from webapp.graphite.steps import SeriesPoint
from webapp.metrics.counters import SharedCounters
from webapp.model.build import GridOrder
from webapp.model.tree import Value
from webapp.poll.current import Latest
from webapp.poll.poller import Poller
from webapp.poll.state_files import note_arrival, read_arrivals, read_outcome, write_outcome
from webapp.poll.times import Clock, observe, observe_all, owner_of, set_right
from webapp.settings import Settings

NOW = 1_800_000_000
AHEAD_S = 900


def sent(minute: int, clock: int) -> SeriesPoint:
    return SeriesPoint(NOW + 60 * minute, float(NOW + clock))


def test_what_is_new_has_just_arrived() -> None:
    right = observe(None, [sent(-2, -117), sent(-1, -57), sent(0, 3)], NOW + 20)
    assert right == Clock(0.0, {NOW - 120: NOW - 117, NOW - 60: NOW - 57, NOW: NOW + 3})
    ahead = observe(right, [sent(0, 3), sent(15, AHEAD_S + 3)], NOW + 5)
    assert ahead is not None
    assert ahead.ahead_s == AHEAD_S - 2
    # Its collector has ended: nothing is new, and what is known stays, while the store's time goes on.
    for later in (60, 600, 1200):
        assert observe(ahead, [sent(15, AHEAD_S + 3)], NOW + later) == ahead
    assert observe(ahead, [], NOW + 3000) == ahead


def test_a_clock_that_was_set_right_is_right_while_its_old_points_are_still_ahead() -> None:
    old = [sent(minute, 60 * minute + 3) for minute in range(5, 16)]
    ahead = observe(None, old, NOW + 4)
    assert ahead is not None
    assert ahead.ahead_s == AHEAD_S - 1
    fixed = observe(ahead, [sent(5, 318), *old[1:]], NOW + 320)
    assert fixed is not None
    assert fixed.ahead_s == 0.0


def test_what_is_no_clock_is_left_out() -> None:
    for value in (1e300, -1e300, 0.0, NOW - 1.0, NOW + 601.0):
        assert observe(None, [SeriesPoint(NOW, value)], NOW) is None


def test_owners_have_clocks_of_their_own() -> None:
    clocks = {"a": Clock(100.4, {}), "a/h": Clock(0.0, {}), "b/h": Clock(50.0, {})}
    paths = {
        "grids.a.jobs.all.idle": 100,
        "util.live_hosts.a.x": 100,
        "grids.a.hosts.h.sysinfo.cpu": 0,
        "grids.b.jobs.all.idle": 0,
        "grids.b.hosts.h.sysinfo.cpu": 50,
        "grids.h.jobs.all.idle": 0,
    }
    found = set_right([Value(path, 1.0, NOW) for path in paths], clocks)
    assert {value.path: NOW - (value.timestamp or 0) for value in found} == paths
    assert owner_of("grids.a.hosts.h.sysinfo.cpu") == "a/h"


def test_a_list_tells_where_the_store_does_not(tmp_path: Path) -> None:
    note_arrival(tmp_path, "a", 300.2)
    note_arrival(tmp_path, "b", -3.0)
    clocks = observe_all({}, [], 0.0, read_arrivals(tmp_path))
    assert {grid: clock.ahead_s for grid, clock in clocks.items()} == {"a": 300.0, "b": 0.0}


@pytest.mark.graphite
@pytest.mark.victoriametrics
@pytest.mark.parametrize("store", ["graphite", "victoriametrics"])
def test_a_grid_whose_collector_was_ahead_is_silent_as_soon_as_it_is(
    store: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    service: Graphite | VictoriaMetrics = request.getfixturevalue(store)
    minute = int(time.time()) // 60 * 60
    began = time.time()
    values = [
        Value(f"grids.ahead-{store}.{path}", value, minute + 60 * k)
        for k in range(-3, 16)
        for path, value in (
            ("jobs.all.idle", 5.0),
            ("heartbeat.cloud_monitor", 1.0),
            ("collector.clock_s", minute + 60.0 * k + 3),
        )
    ]
    if isinstance(service, Graphite):
        feed(service, values)
    else:
        service.send([(path, value or 0.0, timestamp or 0) for path, value, timestamp in values])
    settings = Settings(graphite_url=service.url, state_dir=tmp_path / "state")
    settings.state_dir.mkdir()
    latest = Latest(settings.state_dir, time.time, GridOrder(), settings.stale_after_s)
    poller = Poller(settings, latest, time.time, SharedCounters(settings.state_dir))

    def is_seen() -> bool:
        write_outcome(settings.state_dir, type(latest.outcome)())
        poller.tick()
        return len([path for path in latest.snapshot.values if f".ahead-{store}." in path]) == 3

    wait_until(is_seen, "the grid")
    assert not read_outcome(settings.state_dir).error
    ahead_s = latest.snapshot.clocks_ahead_s[f"ahead-{store}"]
    late_s = time.time() - began
    assert AHEAD_S + 3 - (began - minute) - late_s - 2 <= ahead_s <= AHEAD_S + 3 + 2
    idle = latest.snapshot.values[f"grids.ahead-{store}.jobs.all.idle"]
    assert idle.timestamp is not None
    assert time.time() - idle.timestamp > AHEAD_S - 180
    client = create_app(settings, poll=False).test_client()
    page = client.get(f"/grids/ahead-{store}").get_data(as_text=True)
    assert "ahead of the store" in page
    assert "no data for 1" in page
    assert f'cloud_monitor_grid_clock_ahead_seconds{{grid="ahead-{store}"}} {ahead_s}' in client.get(
        "/metrics"
    ).get_data(as_text=True)
