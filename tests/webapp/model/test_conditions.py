"""The memory of what is wrong since when: beginnings and ends, flapping, bounds, and faults of its file."""

from __future__ import annotations

import shutil
import sqlite3
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.webapp.sample import NOW
from webapp.model.build import build_snapshot
from webapp.model.conditions import (
    EPISODES_OF_ONE_MAX,
    FILE_NAME,
    KEEP_S,
    Episode,
    note_conditions,
    read_conditions,
    read_since,
    remember,
)
from webapp.model.health import Health, HealthRules, Key, Level, Since
from webapp.model.judge import judge_health
from webapp.model.options import complete_thresholds
from webapp.model.snapshot_view import PollOutcome, SnapshotView
from webapp.model.tree import Value
from webapp.pages.happened import Event, events_of

RULES = HealthRules(complete_thresholds({}), {"g": "Grid G"}, {"condor": "HTCondor"})
OLD_LOG = Path(__file__).resolve().parents[2] / "data/webapp/events.json"
CONDOR = Key("heartbeat_lost", "g", part="condor")
EVENTS_MAX = 1000


def health_at(at: float, *values: Value, error: str = "") -> Health:
    outcome = PollOutcome(attempted_at=at, finished_at=at, succeeded_at=at, error=error)
    return judge_health(SnapshotView(build_snapshot(at, values), outcome, int(at), 180), RULES)


def beats(at: float, grid: str = "g", **services: float) -> list[Value]:
    """Heartbeats of the minute of `at`."""
    found = {"cloud_monitor": 1.0, **services}
    return [Value(f"grids.{grid}.heartbeat.{name}", value, int(at)) for name, value in found.items()]


def errors(at: float, count: float, cloud: str = "c") -> Value:
    return Value(f"grids.g.clouds.{cloud}.vms.small.error", count, int(at))


def after(known: tuple[Episode, ...], *values: Value, at: float, error: str = "") -> tuple[Episode, ...]:
    return remember(known, health_at(at, *values, error=error), at, EVENTS_MAX)


def test_what_begins_and_ends_is_remembered_with_its_times() -> None:
    well = after((), *beats(NOW, condor=1), at=NOW)
    assert well == ()
    lost = after(well, *beats(NOW + 60, condor=0), at=NOW + 60)
    assert lost == (
        Episode(
            CONDOR,
            NOW + 60,
            NOW + 60,
            None,
            0,
            Level.BAD,
            "HTCondor does not answer",
            "HTCondor answers again",
        ),
    )
    assert after(lost, *beats(NOW + 120, condor=0), at=NOW + 120) == lost
    over = after(lost, *beats(NOW + 180, condor=1), at=NOW + 180)
    assert over == (replace(lost[0], ended=NOW + 180),)


def test_what_worsens_is_told_by_its_worst_and_began_when_it_began() -> None:
    warned = after((), errors(NOW, 1), at=NOW)
    assert (warned[0].level, warned[0].text) == (Level.WARN, "c: 1 VM in error")
    bad = after(warned, errors(NOW + 60, 12), at=NOW + 60)
    better = after(bad, errors(NOW + 120, 3), at=NOW + 120)
    assert better == bad == (replace(warned[0], level=Level.BAD, text="c: 12 VMs in error"),)


@pytest.mark.parametrize("error", ["", "http://graphite answered 500"])
def test_missing_data_neither_begins_nor_ends_anything(error: str) -> None:
    """The cloud's figures grow old, by themselves or since the poll fails."""
    known = after((), errors(NOW, 12), *beats(NOW, condor=0), at=NOW)
    assert len(known) == 2
    later = NOW + 3600
    fresh = [] if error else beats(later)
    found = after(known, errors(NOW, 12), *beats(NOW, condor=0), *fresh, at=later, error=error)
    assert {(one.key, one.began, one.ended) for one in known} <= {
        (one.key, one.began, one.ended) for one in found
    }
    assert {one.key.kind for one in found} - {one.key.kind for one in known} == (
        {"poll_failing"} if error else {"cloud_silent"}
    )


def test_a_place_that_is_gone_ends_what_was_wrong_with_it() -> None:
    known = after((), errors(NOW, 12), at=NOW)
    assert after(known, *beats(NOW + 7200), at=NOW + 7200)[0].ended == NOW + 7200
    assert after(known, at=NOW + 7200) == known  # of an empty snapshot nothing is known


def test_a_symptom_stands_for_itself_once_it_outlives_its_cause() -> None:
    cloud = errors(NOW - 600, 0)
    known = after((), cloud, *beats(NOW, cloud_scheduler=0), at=NOW)
    causes = {one.key.kind: one.cause for one in known}
    assert causes == {
        "heartbeat_lost": None,
        "cloud_silent": Key("heartbeat_lost", "g", part="cloud_scheduler"),
    }
    alone = after(known, cloud, *beats(NOW + 60, cloud_scheduler=1), at=NOW + 60)
    silent = next(one for one in alone if one.key.kind == "cloud_silent")
    assert (silent.began, silent.cause) == (NOW, None)
    again = after(alone, cloud, *beats(NOW + 120, cloud_scheduler=0), at=NOW + 120)
    assert next(one for one in again if one.key.kind == "cloud_silent").cause is None


def test_a_heartbeat_that_flaps_for_1100_minutes_pushes_no_outage_out() -> None:
    """The previous log had a thousand lines of the heartbeat by then, and none of the outage."""
    known: tuple[Episode, ...] = ()
    for minute in range(1100):
        at = NOW + 60 * minute
        other = beats(NOW, "quiet")  # silent from the fourth minute on
        known = after(known, *other, *beats(at, condor=minute % 2), at=at)
    outage, *_ = [one for one in known if one.key == Key("grid_silent", "quiet")]
    assert (outage.began, outage.ended) == (NOW + 240, None)
    flapping = [one for one in known if one.key == CONDOR]
    assert [one.flaps for one in flapping] == [547, 0, 0]
    events = events_of(known)
    assert len(events) < 10
    assert Event(NOW + 240, "grid_stale", "quiet", "no data for 4 min") in events
    assert events[0].message == "HTCondor answers again (on and off 547 times)"


def test_what_flaps_no_more_begins_anew() -> None:
    known: tuple[Episode, ...] = ()
    for minute in range(20):
        known = after(known, *beats(NOW, condor=minute % 2), at=NOW + 60 * minute)
    assert len(known) == 3
    later = NOW + 3 * 3600
    known = after(known, *beats(later, condor=0), at=later)
    assert len(known) == 4
    assert (known[0].began, known[0].flaps) == (later, 0)


def test_the_memory_is_bounded_and_causes_and_what_holds_are_kept_longest() -> None:
    known: tuple[Episode, ...] = ()
    for day in range(40):
        at = NOW + 86400 * day
        known = remember(known, health_at(at, *beats(at, condor=0)), at, EVENTS_MAX)
        known = remember(known, health_at(at + 60, *beats(at + 60, condor=1)), at + 60, EVENTS_MAX)
    assert len(known) == EPISODES_OF_ONE_MAX
    symptom = Episode(Key("cloud_silent", "g", "c"), at, at, at + 60, 0, Level.STALE, "", "", CONDOR)
    symptoms = [replace(symptom, key=Key("cloud_silent", "g", f"c{number}")) for number in range(30)]
    holding = replace(symptom, key=Key("grid_silent", "h"), began=NOW - 9 * KEEP_S, ended=None, cause=None)
    calm = health_at(at + 120, *beats(at + 120), Value("grids.h.heartbeat.condor", 1.0, NOW))
    kept = remember((*known, *symptoms, holding), calm, at + 120, 22)
    assert len(kept) == 23
    assert holding in kept
    assert sum(one.cause is not None for one in kept) == 2
    assert remember(known, calm, at + 120 + KEEP_S, EVENTS_MAX)[1:] == ()


def test_a_clock_that_is_set_back_ends_nothing_before_it_began() -> None:
    known = after((), *beats(NOW, condor=0), at=NOW)
    over = after(known, *beats(NOW - 3600, condor=1), at=NOW - 3600)
    assert (over[0].began, over[0].ended) == (NOW, NOW)
    again = after(over, *beats(NOW - 3540, condor=0), at=NOW - 3540)
    assert [(one.began, one.again, one.flaps) for one in again] == [(NOW, NOW, 1)]


worlds = st.lists(
    st.tuples(st.sampled_from([0, 1, None]), st.sampled_from([0, 12, None]), st.booleans()), max_size=12
)


@settings(deadline=None)
@given(worlds)
def test_beginnings_and_ends_alternate_and_nothing_holds_twice(
    history: list[tuple[int | None, int | None, bool]],
) -> None:
    known: tuple[Episode, ...] = ()
    for minute, (beat, error, fails) in enumerate(history):
        at = NOW + 60 * minute
        values = beats(at) if beat is None else beats(at, condor=beat)
        more = [] if error is None else [errors(at, error)]
        known = after(known, *values, *more, at=at, error="down" if fails else "")
        holding = [one.key for one in known if one.ended is None]
        assert len(holding) == len(set(holding))
        for key in {one.key for one in known}:
            times = sorted((one.began, one.ended or at) for one in known if one.key == key)
            assert all(first[1] <= second[0] for first, second in pairwise(times))
        if not fails:
            assert (CONDOR in holding) == (beat == 0)


def test_every_process_reads_what_one_has_noted(tmp_path: Path) -> None:
    note_conditions(tmp_path, health_at(NOW, *beats(NOW, condor=0)), NOW, EVENTS_MAX)
    assert read_since(tmp_path) == {CONDOR: Since(NOW, 0)}
    written = (tmp_path / FILE_NAME).stat().st_mtime_ns
    time.sleep(0.02)
    note_conditions(tmp_path, health_at(NOW + 60, *beats(NOW + 60, condor=0)), NOW + 60, EVENTS_MAX)
    assert (tmp_path / FILE_NAME).stat().st_mtime_ns == written  # nothing has changed, nothing is written
    note_conditions(tmp_path, health_at(NOW + 120, *beats(NOW + 120)), NOW + 120, EVENTS_MAX)
    assert [(one.key, one.ended) for one in read_conditions(tmp_path)] == [(CONDOR, NOW + 120)]
    assert read_since(tmp_path) == {}


def test_hostile_names_are_kept_as_words(tmp_path: Path) -> None:
    name = "<script>/\ud800\n\u202e'"
    value = Value(f"grids.{name}.heartbeat.condor", 0.0, NOW)
    note_conditions(tmp_path, health_at(NOW, value), NOW, EVENTS_MAX)
    found = read_conditions(tmp_path)
    assert [one.key for one in found] == [Key("heartbeat_lost", name, part="condor")]
    assert found[0].text == "HTCondor does not answer"


@pytest.mark.parametrize("content", [b"no database" * 100, b"version", b"row"])
def test_a_broken_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / FILE_NAME
    note_conditions(tmp_path, health_at(NOW, *beats(NOW, condor=0)), NOW, EVENTS_MAX)
    if content in (b"version", b"row"):
        with sqlite3.connect(file) as connection:
            statement = (
                "PRAGMA user_version = 99" if content == b"version" else "UPDATE episodes SET level = 9"
            )
            connection.execute(statement)
        connection.close()
    else:
        file.write_bytes(content)
    assert read_conditions(tmp_path) == ()
    note_conditions(tmp_path, health_at(NOW + 60, *beats(NOW + 60, condor=0)), NOW + 60, EVENTS_MAX)
    assert [one.began for one in read_conditions(tmp_path)] == [NOW + 60]
    assert len(list(tmp_path.glob(f"{FILE_NAME}.corrupt-*"))) == 1


def test_the_log_of_the_previous_version_is_taken_over_and_then_read_no_more(tmp_path: Path) -> None:
    shutil.copy(OLD_LOG, tmp_path / "events.json")
    before = events_of(read_conditions(tmp_path))  # of a page that is asked before the first poll
    quiet = Value("grids.quiet.heartbeat.condor", 1.0, NOW - 9000)
    lost = Value("grids.belle.hosts.sched-2.heartbeat.condor", 0.0, NOW)
    note_conditions(tmp_path, health_at(NOW, quiet, lost, *beats(NOW, "belle")), NOW, EVENTS_MAX)
    assert events_of(read_conditions(tmp_path))[1:] == before
    assert events_of(read_conditions(tmp_path)) == [
        Event(NOW, "heartbeat_back", "lost", "fleet answers again"),  # a grid that is there no more
        Event(1759996800.4, "heartbeat_lost", "belle", "condor on sched-2 does not answer"),
        Event(1759993200.2, "poll_recovered", "", "poll answered again"),
        Event(1759990000.1, "poll_failed", "", "poll fails: http://graphite:8080 answered 500"),
        Event(1759986400.0, "grid_stale", "quiet", "no new data for 4 min"),
        Event(1759980000.0, "heartbeat_back", "belle", "cloud_scheduler answers again"),
        Event(1759979000.0, "heartbeat_lost", "belle", "cloud_scheduler does not answer"),
        Event(1759970000.0, "heartbeat_lost", "lost", "fleet does not answer"),
    ]
    assert read_since(tmp_path) == {
        Key("grid_silent", "quiet"): Since(1759986400.0, 0),
        Key("heartbeat_lost", "belle", host="sched-2", part="condor"): Since(1759996800.4, 0),
    }
    assert not (tmp_path / "events.json").exists()
    shutil.copy(OLD_LOG, tmp_path / "events.json")
    keys = {one.key for one in read_conditions(tmp_path)}
    note_conditions(tmp_path, health_at(NOW + 60, quiet, *beats(NOW + 60, "belle")), NOW + 60, EVENTS_MAX)
    assert {one.key for one in read_conditions(tmp_path)} == keys


@pytest.mark.parametrize(
    "torn", [b"", b"{", b"[]", b'{"wrong": [[1]], "events": []}', b'{"wrong": [], "events": [[1]]}', b"null"]
)
def test_a_torn_log_of_the_previous_version_is_an_empty_one(tmp_path: Path, torn: bytes) -> None:
    (tmp_path / "events.json").write_bytes(torn)
    note_conditions(tmp_path, health_at(NOW, *beats(NOW)), NOW, EVENTS_MAX)
    assert read_conditions(tmp_path) == ()
