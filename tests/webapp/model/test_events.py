"""The log of what began and what ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from webapp.model.build import build_snapshot
from webapp.model.events import Event, Log, note, read_events, read_log, write_log
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Snapshot, Value

NOW = 1_800_000_000
GOOD = PollOutcome(attempted_at=NOW, finished_at=NOW, succeeded_at=NOW, duration_s=0.4)
BAD = replace(GOOD, error="http://graphite:8080 answered 500", failures=1)


def snapshot(condor: float | None = 1, timestamp: int = NOW) -> Snapshot:
    values = [Value("grids.g.heartbeat.cloud_monitor", 1.0, timestamp)]
    if condor is not None:
        values.append(Value("grids.g.heartbeat.condor", condor, timestamp))
    return build_snapshot(NOW, values)


def after(log: Log, snap: Snapshot, outcome: PollOutcome = GOOD) -> Log:
    return note(log, snap, outcome, stale_after_s=180, events_max=10)


def kinds(log: Log) -> list[str]:
    return [event.kind for event in log.events]


def test_nothing_wrong_nothing_said() -> None:
    assert after(Log(), snapshot()) == Log()


def test_a_poll_that_fails_is_said_once_and_so_is_its_recovery() -> None:
    failing = after(after(Log(), snapshot(), BAD), snapshot(), replace(BAD, failures=2))
    assert failing.events == (Event(NOW, "poll_failed", "", "poll fails: http://graphite:8080 answered 500"),)
    assert kinds(after(failing, snapshot())) == ["poll_recovered", "poll_failed"]


def test_a_heartbeat_that_is_lost_and_answers_again() -> None:
    lost = after(Log(), snapshot(condor=0))
    assert lost.events == (Event(NOW, "heartbeat_lost", "g", "condor does not answer"),)
    assert kinds(after(lost, snapshot())) == ["heartbeat_back", "heartbeat_lost"]


def test_a_grid_gone_stale_says_so_without_its_heartbeats() -> None:
    stale = after(Log(), snapshot(timestamp=NOW - 600))
    assert stale.events == (Event(NOW, "grid_stale", "g", "no new data for 10 min"),)
    assert kinds(after(stale, snapshot())) == ["grid_back", "grid_stale"]


def test_a_failing_poll_says_nothing_of_grids() -> None:
    lost = after(Log(), snapshot(condor=0))
    assert kinds(after(lost, snapshot(timestamp=NOW - 600), BAD)) == ["poll_failed", "heartbeat_lost"]


def test_old_events_make_room() -> None:
    log = Log()
    for number in range(20):
        log = after(log, snapshot(condor=number % 2))
    assert len(log.events) == 10


def test_the_log_is_kept_over_restarts(tmp_path: Path) -> None:
    log = after(after(Log(), snapshot(condor=0)), snapshot(), BAD)
    write_log(tmp_path, log)
    assert read_log(tmp_path) == log
    assert read_events(tmp_path) == list(log.events)


def test_a_torn_log_is_an_empty_one(tmp_path: Path) -> None:
    for torn in (b"", b"{", b"[]", b'{"wrong": [[1]], "events": []}', b'{"wrong": [], "events": [[1]]}'):
        (tmp_path / "events.json").write_bytes(torn)
        assert read_log(tmp_path) == Log()


@given(st.lists(st.frozensets(st.sampled_from([0, 1]), min_size=1), max_size=8))
def test_beginnings_and_ends_alternate(history: list[frozenset[int]]) -> None:
    log = Log()
    for beats in history:
        log = after(log, snapshot(condor=min(beats)))
    told = [event.kind for event in reversed(log.events)]
    assert told == (["heartbeat_lost", "heartbeat_back"] * len(told))[: len(told)]
