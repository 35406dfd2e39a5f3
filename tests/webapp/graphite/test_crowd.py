"""A crowd that asks for the widest plots again and again: the poll goes on, Graphite's work stays bounded."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import requests

from tests.services.graphite import Graphite, run_graphite
from tests.services.pages import run_page
from tests.services.support import in_time, wait_until
from tests.webapp.feed import feed
from webapp.model.tree import Value
from webapp.poll.state_files import read_outcome

VISITORS = 28
EVERY_S = 2  # a poll
FEED_EVERY_S = 30
WIDE = [
    "grids.*.clouds.*.vms.*.running",
    "grids.load.clouds.*.vms.*.running",
    "grids.*.clouds.*.vms.*.*",
    "grids.load.clouds.*.vms.*.*",
    *(f"grids.*.clouds.*.vms.t{number}.*" for number in range(46)),
]


class Shape(NamedTuple):
    clouds: int
    vmtypes: int
    crowd_s: float
    stored_points_max: int
    memory_mb: float  # that Graphite may take beyond what it has


def series(shape: Shape, minute: int) -> list[Value]:
    return [
        Value(f"grids.load.clouds.c{cloud}.vms.t{vmtype}.{state}", 1.0, minute)
        for cloud in range(shape.clouds)
        for vmtype in range(shape.vmtypes)
        for state in ("running", "error")
    ]


class Crowd:
    """Visitors who ask for one of the plots until `stop`; `found` counts what they were answered."""

    def __init__(self, page: str) -> None:
        self.found: Counter[int] = Counter()
        self.longest_s = 0.0
        self._page = page
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(VISITORS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        wide = {"target": WIDE, "from": "-10y", "points": 5000}
        one = {"target": WIDE[0], "from": "-10y"}
        allowed = {"target": f"grids.load.clouds.c{number % 20}.vms.*.running", "from": "-2d"}
        while not self._stop.is_set():
            for query in (wide, one, allowed):
                began_s = time.monotonic()
                answer = requests.get(f"{self._page}/api/series", params=query, timeout=120)
                self.found[answer.status_code] += 1
                self.longest_s = max(self.longest_s, time.monotonic() - began_s)
                if answer.status_code == 503:
                    self._stop.wait(0.2)


def run_crowd(shape: Shape, graphite: Graphite, state_dir: Path) -> None:
    values = series(shape, int(time.time()) // 60 * 60)
    feed(graphite, values)
    wait_until(lambda: graphite.render(values[-1].path), "the last series")
    web = psutil.Process(graphite.pid("web"))
    settings = {
        "GRAPHITE_URL": graphite.url,
        "POLL_EVERY_S": EVERY_S,
        "POLL_AFTER_STEP_S": 0,
        "POLL_TIMEOUT_S": 60,
        "GRAPHITE_TIMEOUT_S": 30,
        "STORED_POINTS_MAX": shape.stored_points_max,
        "LOG_LEVEL": "WARNING",
    }
    with run_page(state_dir, **settings) as page:
        wait_until(
            lambda: read_outcome(state_dir).series >= len(values),
            "every series in the snapshot",
            process=page.process,
        )
        fed_at = time.monotonic()
        before_mb, most_mb, polls, failures = web.memory_info().rss / 2**20, 0.0, set(), 0
        crowd = Crowd(page.url)
        until = time.monotonic() + shape.crowd_s
        try:
            while time.monotonic() < until or len(polls) < 2:
                outcome = read_outcome(state_dir)
                polls.add(outcome.succeeded_at)
                failures = max(failures, outcome.failures)
                most_mb = max(most_mb, web.memory_info().rss / 2**20)
                if time.monotonic() - fed_at > FEED_EVERY_S:
                    feed(graphite, series(shape, int(time.time()) // 60 * 60))
                    fed_at = time.monotonic()
                time.sleep(0.1)
        finally:
            crowd.stop()
        assert failures == 0
        assert set(crowd.found) <= {200, 400, 503}
        assert crowd.found[200] >= 1
        assert crowd.found[400] >= VISITORS
        assert most_mb - before_mb < shape.memory_mb
        assert in_time(crowd.longest_s, 35)
        # Nothing that was asked goes on: what is left to Graphite are polls, which take little of it.
        gone_at = time.time()
        wait_until(lambda: read_outcome(state_dir).succeeded_at > gone_at, "a poll after the crowd")
        used_s, began_s = sum(web.cpu_times()[:2]), time.monotonic()
        wait_until(lambda: time.monotonic() - began_s > 2 * EVERY_S, "two polls")
        assert sum(web.cpu_times()[:2]) - used_s < (time.monotonic() - began_s) * 0.7


def test_a_crowd_starves_nobody(tmp_path: Path) -> None:
    with run_graphite(tmp_path / "graphite") as graphite:
        run_crowd(Shape(30, 4, 2, 50_000, 100), graphite, tmp_path / "state")


@pytest.mark.soak
def test_a_crowd_of_minutes_over_thousands_of_series(tmp_path: Path) -> None:
    """2,000 series with minutes of ten days: the widest that is let through reads 576,000 points."""
    with run_graphite(tmp_path / "graphite", retentions="60s:10d,10m:90d") as graphite:
        run_crowd(Shape(20, 50, 120, 10_000_000, 700), graphite, tmp_path / "state")
