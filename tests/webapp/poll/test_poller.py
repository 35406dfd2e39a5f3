"""One poll for all: election, failure, recovery, restart, fork, a folder that cannot be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.services.graphite import Graphite
from tests.services.proxy import Mode, Proxy, run_proxy
from tests.services.support import PATIENCE_S, in_time, wait_until
from tests.webapp.feed import feed
from webapp import create_app
from webapp.metrics.counters import SharedCounters
from webapp.model.build import GridOrder
from webapp.model.conditions import read_conditions, read_since
from webapp.model.health import Key, Since
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Value
from webapp.pages.happened import events_of
from webapp.poll.current import Latest
from webapp.poll.plan import poll_targets
from webapp.poll.poller import Poller
from webapp.poll.state_files import Polled, read_outcome, read_polled, write_outcome, write_polled
from webapp.poll.times import StoreSteps
from webapp.settings import Settings

BATCH = len(poll_targets()) + 1
LIES: tuple[Mode, ...] = ("500", "html", "truncated", "types", "not_utf8", "deep", "redirect", "empty", "nan")


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def settings_for(url: str, state_dir: Path, **more: float) -> Settings:
    impatient = {"graphite_timeout_s": 1.0, "poll_timeout_s": 2.0}
    return Settings(graphite_url=url, state_dir=state_dir, **impatient | more)


def patient_settings(url: str, state_dir: Path) -> Settings:
    """For a real store, which may be busy."""
    return settings_for(url, state_dir, graphite_timeout_s=50, poll_timeout_s=50)


def poller_for(settings: Settings, clock: Clock) -> tuple[Poller, Latest]:
    settings.state_dir.mkdir(exist_ok=True)
    latest = Latest(settings.state_dir, clock, GridOrder(), settings.stale_after_s)
    return Poller(settings, latest, clock, SharedCounters(settings.state_dir)), latest


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with run_proxy() as service:
        yield service


def known_before(state_dir: Path, at: float) -> Polled:
    """A snapshot and its outcome, as a good poll of that time leaves them."""
    state_dir.mkdir(exist_ok=True)
    polled = Polled(at, [Value("grids.g.heartbeat.condor", 1.0, int(at))], {}, StoreSteps(at))
    write_polled(state_dir, polled)
    write_outcome(state_dir, PollOutcome(attempted_at=at, finished_at=at, succeeded_at=at, series=1))
    return polled


def test_real_points_arrive_and_paths_of_others_do_not(graphite: Graphite, tmp_path: Path) -> None:
    now = int(time.time()) // 60 * 60
    values = [
        Value(f"grids.poll.{path}", 5.0, now) for path in ("jobs.all.idle", "clouds.c.vms.small.running")
    ]
    feed(graphite, [*values, Value("grids.poll.not.in.the.catalog.at.all", 1.0, now)])
    poller, latest = poller_for(patient_settings(graphite.url, tmp_path), Clock(time.time()))

    def seen() -> list[Value]:
        write_outcome(tmp_path, PollOutcome())
        poller.tick()
        return [value for path, value in latest.snapshot.values.items() if path.startswith("grids.poll.")]

    wait_until(lambda: len(seen()) == len(values), "both series in the snapshot")
    assert sorted(seen()) == sorted(values)
    assert latest.outcome.succeeded_at > 0
    assert not latest.outcome.error


def test_recovery_shows_at_the_next_step_and_a_store_that_is_away_is_asked_little(
    graphite: Graphite, tmp_path: Path
) -> None:
    clock = Clock(time.time() // 60 * 60 + 20)
    feed(graphite, [Value("grids.poll-back.heartbeat.condor", 1.0, int(clock.now) // 60 * 60)])
    wait_until(lambda: graphite.render("grids.poll-back.heartbeat.condor"), "the point")
    known_before(tmp_path, clock.now - 60)
    with run_proxy(graphite.url) as proxy:
        poller, latest = poller_for(patient_settings(proxy.url, tmp_path), clock)
        proxy.mode = "500"
        for failures in range(1, 10):
            proxy.passed.clear()
            poller.tick()
            assert (latest.outcome.failures, len(proxy.passed)) == (failures, 1)
            clock.now += 60
        proxy.mode = "pass"
        proxy.passed.clear()
        clock.now = clock.now - 600 + 60  # within what the poll looks back to
        write_outcome(tmp_path, replace(read_outcome(tmp_path), attempted_at=clock.now - 60))
        poller.tick()
        assert (latest.outcome.failures, latest.outcome.error) == (0, "")
        assert len(proxy.passed) == BATCH + 1


def test_a_name_that_is_no_text_costs_no_page(graphite: Graphite, tmp_path: Path) -> None:
    now = int(time.time()) // 60 * 60
    state_dir = tmp_path / "state"
    good = Value("grids.poll-text.jobs.all.idle", 5.0, now)
    feed(graphite, [good, Value("grids.poll-te\udcffxt.jobs.all.idle", 7.0, now)])
    settings = patient_settings(graphite.url, state_dir)
    poller, latest = poller_for(settings, Clock(time.time()))

    def refused() -> int:
        write_outcome(state_dir, PollOutcome())
        poller.tick()
        return latest.outcome.refused_names

    wait_until(lambda: refused() == 1 and good.path in latest.snapshot.values, "one series left out")
    client = create_app(settings, poll=False).test_client()
    for path in ("/", "/grids/poll-text", "/metrics", "/api/status"):
        answer = client.get(path)
        assert (path, answer.status_code) == (path, 200)
    assert b"cloud_monitor_poll_refused_names 1.0\n" in client.get("/metrics").data
    assert client.get("/health").get_json()["poll"]["refused_names"] == 1


def test_a_step_is_polled_once_by_however_many(proxy: Proxy, tmp_path: Path) -> None:
    clock = Clock(1_800_000_020)
    known_before(tmp_path, clock.now - 60)
    proxy.mode = "500"
    settings = settings_for(proxy.url, tmp_path)
    pollers = [poller_for(settings, clock)[0] for _ in range(20)]
    for _ in range(3):
        threads = [threading.Thread(target=poller.tick) for poller in pollers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(proxy.passed) == 1  # the first of the batch failed, and nobody tried again
    clock.now += 60
    for poller in pollers:
        poller.tick()
    assert len(proxy.passed) == 2


@pytest.mark.parametrize("mode", [*LIES, "silent", "drip", "huge"])
def test_a_poll_that_fails_keeps_the_snapshot_and_says_why(proxy: Proxy, tmp_path: Path, mode: Mode) -> None:
    clock = Clock(1_800_000_020)
    polled = known_before(tmp_path, clock.now - 60)
    proxy.mode = mode
    poller, latest = poller_for(settings_for(proxy.url, tmp_path), clock)
    started = time.monotonic()
    poller.tick()
    assert in_time(time.monotonic() - started, 10)
    assert read_polled(tmp_path) == polled
    assert list(latest.snapshot.values) == [value.path for value in polled.values]
    outcome = read_outcome(tmp_path)
    assert (outcome.failures, outcome.succeeded_at) == (1, clock.now - 60)
    assert proxy.url in outcome.error
    assert latest.view().age_s == 60


def test_a_poll_that_fails_is_remembered_until_one_answers(proxy: Proxy, tmp_path: Path) -> None:
    clock = Clock(1_800_000_020)
    known_before(tmp_path, clock.now - 60)
    proxy.mode = "500"
    poller, _ = poller_for(settings_for(proxy.url, tmp_path), clock)
    poller.tick()
    assert read_since(tmp_path) == {Key("poll_failing"): Since(clock.now, 0)}
    events = events_of(read_conditions(tmp_path))
    assert [(event.at, event.kind) for event in events] == [(clock.now, "poll_failed")]
    assert read_outcome(tmp_path).error in events[0].message


@pytest.mark.parametrize("fault", ["cannot be opened", "broken", "full disk"])
def test_a_memory_that_cannot_be_written_costs_no_poll(proxy: Proxy, tmp_path: Path, fault: str) -> None:
    """The poll's files, which are small, have room on the disk that is full; a broken file begins anew."""
    known_before(tmp_path, 1_800_000_020 - 60)
    proxy.mode = "500"
    if fault == "cannot be opened":
        (tmp_path / "conditions.sqlite").mkdir()
    elif fault == "broken":
        (tmp_path / "conditions.sqlite").write_bytes(b"no database" * 1000)
    source = (
        "import sys; from pathlib import Path; import tests.webapp.poll.test_poller as t; "
        f"settings = t.settings_for({proxy.url!r}, Path({str(tmp_path)!r})); "
        "t.poller_for(settings, t.Clock(1_800_000_020))[0].tick()"
    )
    limit = "ulimit -f 4; " if fault == "full disk" else ""
    ended = subprocess.run(
        ["/bin/sh", "-c", f'{limit}exec "$0" -c "$1"', sys.executable, source],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert read_outcome(tmp_path).failures == 1
    assert (read_since(tmp_path) != {}) == (fault == "broken")
    assert ("conditions.sqlite" if fault == "broken" else "cannot be remembered") in ended.stderr


def test_a_folder_that_cannot_be_written_is_logged_once_and_when_it_is_well_again(
    proxy: Proxy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every second something of it would be written: counters, and once a minute the poll's files."""
    clock, state_dir = Clock(1_800_000_020), tmp_path / "state"
    known_before(state_dir, clock.now - 60)
    proxy.mode = "500"
    poller, latest = poller_for(settings_for(proxy.url, state_dir), clock)
    state_dir.rename(tmp_path / "away")
    for _ in range(130):
        poller.tick_safely()
        clock.now += 1
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["cannot poll"]
    assert str(state_dir) in latest.outcome.error
    (tmp_path / "away").rename(state_dir)
    for _ in range(130):
        poller.tick_safely()
        clock.now += 1
    assert "polls again after: No such file or directory" in [one.getMessage() for one in caplog.records]
    assert read_outcome(state_dir).failures >= 1


def test_a_poll_that_dies_is_not_made_up_for_before_the_next_step(proxy: Proxy, tmp_path: Path) -> None:
    clock = Clock(1_800_000_020)
    known_before(tmp_path, clock.now - 60)
    proxy.mode = "slow"
    source = (
        "import sys; from pathlib import Path; import tests.webapp.poll.test_poller as t; "
        f"settings = t.settings_for({proxy.url!r}, Path({str(tmp_path)!r})); "
        f"t.poller_for(settings, t.Clock({clock.now}))[0].tick()"
    )
    child = subprocess.Popen([sys.executable, "-c", source])
    wait_until(lambda: proxy.passed, "the poll's first request")
    child.send_signal(signal.SIGKILL)
    child.wait()
    poller, _ = poller_for(settings_for(proxy.url, tmp_path), clock)
    proxy.mode = "500"
    poller.tick()
    assert len(proxy.passed) == 1
    clock.now += 60
    poller.tick()
    assert len(proxy.passed) == 2


def test_a_fork_leaves_the_lock_to_the_parent_and_the_child_takes_part(tmp_path: Path) -> None:
    """As servers do that load the app and then fork: the child polls on when the parent is gone."""
    with run_proxy() as proxy:
        proxy.mode = "500"
        source = f"""
import os, sys, time
from pathlib import Path
import tests.webapp.poll.test_poller as t
settings = t.settings_for({proxy.url!r}, Path({str(tmp_path)!r}), poll_every_s=1, poll_after_step_s=0)
poller, latest = t.poller_for(settings, time.time)
poller.start()
if os.fork():
    os._exit(0)
sys.stdout.write(str(os.getpid()) + "\\n"); sys.stdout.flush()
time.sleep(300)
"""
        child = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        pid = int(child.stdout.readline())
        try:
            child.wait(PATIENCE_S)
            before = len(proxy.passed)
            wait_until(lambda: len(proxy.passed) > before + 1, "polls by the child alone")
        finally:
            os.kill(pid, signal.SIGKILL)
            child.stdout.close()


def test_a_folder_that_cannot_be_written_is_shown_and_nothing_polled(proxy: Proxy, tmp_path: Path) -> None:
    clock = Clock(1_800_000_020)
    state_dir = tmp_path / "state"
    polled = known_before(state_dir, clock.now - 60)
    poller, latest = poller_for(settings_for(proxy.url, state_dir), clock)
    latest.reload()
    for path in sorted(state_dir.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    state_dir.rmdir()
    poller.start()
    try:
        wait_until(lambda: latest.outcome.error, "the fault in the outcome")
    finally:
        poller.stop()
    assert str(state_dir) in latest.outcome.error
    assert list(latest.snapshot.values) == [value.path for value in polled.values]
    assert proxy.passed == []


def test_a_store_without_points_is_asked_again_soon(proxy: Proxy, tmp_path: Path) -> None:
    clock = Clock(1_800_000_020)
    proxy.mode = "empty"
    poller, latest = poller_for(settings_for(proxy.url, tmp_path), clock)
    poller.tick()
    assert (latest.outcome.error, latest.outcome.empty_polls) == ("", 1)
    clock.now += 3
    poller.tick()
    assert latest.outcome.empty_polls == 2
