"""Whatever stops, one message tells of the cause and one of its end: real Carbon, Graphite, SMTP and HTTP.

Two grids of twelve clouds, as the real collector sends them. Carbon, the collector of one, its cloud
scheduler and Graphite stop in turn. The short form goes through its minutes in a row, by a clock of its own;
`make soak` has the collectors run each minute, the page as it is started, and real minutes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.edge_grid import write_cloud_status
from cloud_monitor.metrics.paths import STEP_S
from collector.delivery.carbon import Timeouts, send_frames
from collector.delivery.destinations import Address
from collector.delivery.frames import encode_frame, split_points
from collector.model import Point
from tests.browser.deployment import run_app
from tests.collector.support import collector_environment, run_collector, write_script
from tests.services.graphite import Graphite
from tests.services.receivers import HttpReceiver, Mailbox, http_receiver, mailbox
from tests.services.support import wait_until
from webapp.alerts.evaluate import Evaluator
from webapp.metrics.counters import SharedCounters
from webapp.model.build import GridOrder
from webapp.poll.current import Latest
from webapp.poll.poller import Poller
from webapp.settings import Settings

CLOUDS = 12
RULES = """
default_channels = ["mail", "hook"]
[channels]
mail = "mailto://127.0.0.1:{mail}?from=monitor@example.org&to=ops@example.org&mode=insecure"
hook = "json://{hook}/"
"""
GRIDS = ("atlas", "belle")
FAULTS = {  # what stops -> how the title of its message begins
    "Carbon": "[CRITICAL] Graphite: poll fails: ",  # of no grid is there a point any more
    "collector": "[CRITICAL] atlas: no data for",
    "cloud scheduler": "[CRITICAL] atlas / cloud_scheduler: ",
    "Graphite": "[CRITICAL] Graphite: poll fails: ",
}


class Receivers:
    """A mailbox and a webhook, which are both to be told the same."""

    def __init__(self, box: Mailbox, hook: HttpReceiver, folder: Path) -> None:
        self.box, self.hook = box, hook
        self.file = folder / "alerts.toml"
        self.file.write_text(RULES.format(mail=box.port, hook=hook.host))

    @property
    def counts(self) -> tuple[int, int]:
        return len(self.box.got), len(self.hook.got)

    @property
    def titles(self) -> list[str]:
        return [message["title"] for message in self.hook.got]


@contextmanager
def receivers(folder: Path) -> Iterator[Receivers]:
    with mailbox() as box, http_receiver() as hook:
        yield Receivers(box, hook, folder)


def is_told(title: str, fault: str, is_over: bool) -> bool:
    return title.startswith(FAULTS[fault].replace("[", "[OVER " if is_over else "["))


def collector_settings(folder: Path, graphite: Graphite, grid: str = "atlas") -> dict[str, str]:
    """Twelve clouds, of which a script tells: that of atlas fails where the file `down` is there."""
    clouds = folder / "clouds.json"
    write_cloud_status(clouds, CLOUDS)
    is_up = f"test ! -e {folder}/down && " if grid == "atlas" else ""
    status = write_script(folder / f"status-{grid}", f"{is_up}cat {clouds}")
    return collector_environment(
        folder / f"collector-{grid}", graphite.carbon, GRID=grid, SOURCES="cloudscheduler",
        CLOUD_STATUS_COMMAND=status,
    )  # fmt: skip


class ShortForm:
    """Minute by minute at once, three hours ago: what a dry run printed is sent again with other times."""

    def __init__(self, folder: Path, graphite: Graphite, alerts_file: Path) -> None:
        self.graphite, self.now = graphite, time.time() // STEP_S * STEP_S - 3 * 3600
        environment = collector_settings(folder, graphite)
        self.lines = {False: self._collect(environment)}
        (folder / "down").touch()
        self.lines[True] = self._collect(environment)
        settings = Settings(
            state_dir=folder / "state", graphite_url=graphite.url, alerts_file=alerts_file, grid_names={}
        )
        settings.state_dir.mkdir()
        clock = lambda: self.now + 45.0  # noqa: E731
        latest = Latest(settings.state_dir, clock, GridOrder((), frozenset()), settings.stale_after_s)
        counters = SharedCounters(settings.state_dir)
        self.poller = Poller(settings, latest, clock, counters)
        self.evaluator = Evaluator(settings.state_dir, alerts_file, settings.health_rules, latest, clock)
        self.stopped = ""
        self.undelivered: list[Point] = []

    def _collect(self, environment: dict[str, str]) -> list[tuple[str, float]]:
        printed = run_collector("--dry-run", environment=environment).stdout
        rows = [line.split() for line in printed.splitlines()]
        return [(path, float(value)) for path, value, _ in rows]

    def _points(self, grid: str) -> list[Point]:
        """A clock is a few seconds past its minute."""
        at = int(self.now)
        return [
            Point(path.replace("atlas", grid), at, at + 3.0 if path.endswith(".clock_s") else value)
            for path, value in self.lines[(grid, self.stopped) == ("atlas", "cloud scheduler")]
        ]

    def minute(self) -> None:
        self.now += STEP_S
        for grid in GRIDS:
            if (grid, self.stopped) != ("atlas", "collector"):
                self.undelivered += self._points(grid)
        if self.undelivered and self.stopped != "Carbon":
            host, _, port = self.graphite.carbon.partition(":")
            frames = (encode_frame(chunk) for chunk in split_points(self.undelivered))
            send_frames(Address(host, int(port)), frames, Timeouts(5, 30))
            self.undelivered = []
            if self.stopped != "Graphite":
                wait_until(self._is_shown, "the minute in Graphite")
        self.poller.tick()
        assert self.evaluator.tick()

    def _is_shown(self) -> bool:
        since, until = str(int(self.now) - STEP_S), str(int(self.now) + STEP_S)
        shown = self.graphite.render("grids.belle.heartbeat.*", since=since, until=until)
        return any(at == self.now and value is not None for one in shown for value, at in one["datapoints"])  # type: ignore[attr-defined]

    def minutes(self, count: int) -> None:
        for _ in range(count):
            self.minute()

    def stop(self, what: str) -> None:
        self.stopped = what
        if what == "Carbon":
            self.graphite.stop_carbon()
        if what == "Graphite":
            self.graphite.stop_web()

    def start(self) -> None:
        if self.stopped == "Carbon":
            self.graphite.start_carbon()
        if self.stopped == "Graphite":
            self.graphite.start_web()
        self.stopped = ""


def test_each_cause_is_told_once_and_its_end_once(tmp_path: Path, own_graphite: Graphite) -> None:
    with receivers(tmp_path) as told:
        world = ShortForm(tmp_path, own_graphite, told.file)
        world.minutes(3)
        for number, fault in enumerate(FAULTS):
            world.stop(fault)
            world.minutes(9 if fault != "cloud scheduler" else 16)  # also what tells of itself later
            wait_until(lambda number=number: told.counts == (2 * number + 1,) * 2, f"{fault} is told", 60)
            world.start()
            world.minutes(11)
            wait_until(lambda number=number: told.counts == (2 * number + 2,) * 2, f"{fault} is over", 60)
            begun, over = told.titles[-2:]
            assert is_told(begun, fault, is_over=False), begun
            assert is_told(over, fault, is_over=True), over
    behind = told.hook.got[4]["message"]
    assert f"{CLOUDS + 1} more wait behind it" in behind, behind


class RealMinutes:
    """The collectors each minute and the page as it is started."""

    def __init__(self, folder: Path, graphite: Graphite) -> None:
        self.folder, self.graphite = folder, graphite
        self.environments = {grid: collector_settings(folder, graphite, grid) for grid in GRIDS}
        self.collects, self.ending = threading.Event(), threading.Event()
        self.collects.set()
        self.thread = threading.Thread(target=self._collect)
        self.thread.start()

    def _collect(self) -> None:
        while not self.ending.wait(STEP_S - time.time() % STEP_S):
            for grid, environment in self.environments.items():
                if grid != "atlas" or self.collects.is_set():
                    run_collector(environment=environment, timeout_s=55)

    def end(self) -> None:
        self.ending.set()
        self.thread.join()

    def changes(self, fault: str) -> tuple[Callable[[], object], Callable[[], object]]:
        """What makes it stop, and go on."""
        down = self.folder / "down"
        return {
            "Carbon": (self.graphite.stop_carbon, self.graphite.start_carbon),
            "collector": (self.collects.clear, self.collects.set),
            "cloud scheduler": (down.touch, down.unlink),
            "Graphite": (self.graphite.stop_web, self.graphite.start_web),
        }[fault]


@pytest.mark.soak
def test_each_cause_is_told_once_in_real_minutes(tmp_path: Path, own_graphite: Graphite) -> None:
    shipped = {"WEBAPP_POLL_EVERY_S": "60", "WEBAPP_POLL_AFTER_STEP_S": "20", "WEBAPP_POLL_WINDOW_S": "300"}
    with receivers(tmp_path) as told:
        world = RealMinutes(tmp_path, own_graphite)
        options = {**shipped, "WEBAPP_ALERTS_FILE": str(told.file), "WEBAPP_GRID_NAMES": "{}"}
        try:
            with run_app(tmp_path / "state", own_graphite.url, **options):
                time.sleep(180)
                for number, fault in enumerate(FAULTS):
                    stop, go_on = world.changes(fault)
                    stop()
                    wait_until(lambda n=number: told.counts == (2 * n + 1,) * 2, f"{fault} is told", 900)
                    time.sleep(600)
                    assert told.counts == (2 * number + 1,) * 2, told.titles
                    go_on()
                    wait_until(lambda n=number: told.counts == (2 * n + 2,) * 2, f"{fault} is over", 1200)
                    time.sleep(240)
                    assert told.counts == (2 * number + 2,) * 2, told.titles
                    assert is_told(told.titles[-2], fault, is_over=False), told.titles
                    assert is_told(told.titles[-1], fault, is_over=True), told.titles
        finally:
            world.end()
