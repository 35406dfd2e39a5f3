"""The page reads VictoriaMetrics as it reads Graphite: same points, same snapshot, plots and exports."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.services.graphite import Graphite
from tests.services.support import wait_until
from tests.services.victoriametrics import VictoriaMetrics
from tests.webapp.feed import feed
from webapp import create_app
from webapp.metrics.counters import SharedCounters
from webapp.model.build import GridOrder
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.poll.current import Latest
from webapp.poll.poller import Poller
from webapp.poll.state_files import write_outcome
from webapp.settings import Settings

MINUTE = int(time.time()) // 60 * 60  # as the tests were collected, which may be a while ago
WINDOW_S = 7200
PATHS = [
    *(
        f"grids.both.clouds.{cloud}.vms.small.{state}"
        for cloud in ("a", "b-2")
        for state in ("running", "error")
    ),
    *(f"grids.both.jobs.{jobtype}.{status}" for jobtype in ("all", "sim_1") for status in ("idle", "held")),
    "grids.both.heartbeat.condor",
    "grids.both.sysinfo.load",
    "util.live_hosts.both.vm-1",
]
# One point in each of five minutes, with a hole, negative and fractional values among them.
POINTS = [
    Value(path, number * 1.25 - 2 + ago, MINUTE - 60 * ago)
    for number, path in enumerate(PATHS)
    for ago in (5, 4, 2, 1)
]


@dataclass(frozen=True)
class Reader:
    """The web app over one of the stores."""

    client: FlaskClient
    poller: Poller
    latest: Latest
    state_dir: Path

    def poll(self) -> dict[str, Value]:
        write_outcome(self.state_dir, PollOutcome())
        self.poller.tick()
        return {path: value for path, value in self.latest.snapshot.values.items() if "both" in path}


def open_reader(url: str, state_dir: Path) -> Reader:
    settings = Settings(graphite_url=url, state_dir=state_dir, poll_window_s=WINDOW_S)
    latest = Latest(state_dir, time.time, GridOrder(), settings.stale_after_s)
    poller = Poller(settings, latest, time.time, SharedCounters(state_dir))
    return Reader(create_app(settings, poll=False).test_client(), poller, latest, state_dir)


@pytest.fixture(scope="module")
def readers(
    graphite: Graphite, victoriametrics: VictoriaMetrics, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Reader, Reader]:
    feed(graphite, POINTS)
    victoriametrics.send(
        (point.path, point.value, point.timestamp) for point in POINTS if point.value is not None
    )
    pair = [open_reader(store.url, tmp_path_factory.mktemp("state")) for store in (graphite, victoriametrics)]
    for reader in pair:
        wait_until(lambda reader=reader: len(reader.poll()) == len(PATHS), "every series in the snapshot")
    return pair[0], pair[1]


def test_snapshots_are_the_same(readers: tuple[Reader, Reader]) -> None:
    graphite, victoriametrics = (reader.poll() for reader in readers)
    assert set(graphite) == set(PATHS)
    assert graphite == victoriametrics


@pytest.mark.parametrize(
    "target", ["grids.both.sysinfo.load", "grids.both.jobs.*.idle", "util.live_hosts.both.vm-1"]
)
@pytest.mark.parametrize("path", ["/api/series", "/export"])
def test_plots_and_exports_are_the_same(readers: tuple[Reader, Reader], path: str, target: str) -> None:
    query = {"target": target, "from": MINUTE - 300, "until": MINUTE, "format": "csv"}
    if path == "/api/series":
        del query["format"]
    answers = [reader.client.get(path, query_string=query) for reader in readers]
    assert [answer.status_code for answer in answers] == [200, 200], answers[1].text
    assert answers[0].text == answers[1].text
    assert any(character.isdigit() for character in answers[0].text)


def test_points_survive_a_stop(tmp_path: Path, victoriametrics: VictoriaMetrics) -> None:
    store = VictoriaMetrics(tmp_path / "own")
    store.start()
    store.send([("grids.kept.sysinfo.load", 1.5, MINUTE - 60)])
    store.stop()
    store.start()
    try:
        wait_until(
            lambda: store.render("grids.kept.sysinfo.load", since=f"-{WINDOW_S}s"),
            "the point after the restart",
        )
    finally:
        store.stop()
