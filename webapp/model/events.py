"""What happened, newest first: polls that fail and recover, grids that go stale, heartbeats that are lost.

Conditions are what holds now (pure); an event is written when one begins or ends, and kept over restarts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cloud_monitor.system.files import replace_file
from cloud_monitor.system.text import age_text
from webapp.model.freshness import Freshness, judge
from webapp.model.snapshot_view import PollOutcome
from webapp.model.tree import Snapshot

FILE_NAME = "events.json"


class Event(NamedTuple):
    at: float  # epoch seconds
    kind: str  # poll_failed poll_recovered grid_stale grid_back heartbeat_lost heartbeat_back
    grid: str  # empty for the poll's own
    message: str


class Condition(NamedTuple):
    """Something that is wrong. Two are the same when kind, grid and service are."""

    kind: str  # poll grid heartbeat
    grid: str
    service: str


@dataclass(frozen=True, slots=True)
class Log:
    wrong: frozenset[Condition] = frozenset()
    events: tuple[Event, ...] = ()  # newest first


_BEGINS = {"poll": "poll_failed", "grid": "grid_stale", "heartbeat": "heartbeat_lost"}
_ENDS = {"poll": "poll_recovered", "grid": "grid_back", "heartbeat": "heartbeat_back"}


def find_wrong(snapshot: Snapshot, now: float, stale_after_s: float) -> Iterator[Condition]:
    """What is wrong with the grids of a fresh snapshot. A stale grid's heartbeats add nothing to it."""
    for grid in snapshot.grids:
        if judge(1, grid.newest, now, stale_after_s) is not Freshness.FRESH:
            yield Condition("grid", grid.name, "")
            continue
        for host in (grid.own, *grid.hosts):
            for service, beat in host.heartbeats.items():
                if judge(beat.value, beat.timestamp, now, stale_after_s) is not Freshness.FRESH:
                    name = service if host is grid.own else f"{service} on {host.name}"
                    yield Condition("heartbeat", grid.name, name)


def note(log: Log, snapshot: Snapshot, outcome: PollOutcome, stale_after_s: float, events_max: int) -> Log:
    """The log after a poll. While polls fail nothing is known of the grids, so what was wrong stays so."""
    at = outcome.finished_at
    if outcome.error:
        wrong = log.wrong | {Condition("poll", "", "")}
    else:
        wrong = frozenset(find_wrong(snapshot, at, stale_after_s))
    ages = {grid.name: age_text(at - grid.newest) for grid in snapshot.grids if grid.newest is not None}

    def say(condition: Condition, *, begins: bool) -> Event:
        kind, grid, service = condition
        text = {
            "poll": f"poll fails: {outcome.error}"
            if begins
            else f"poll answered in {outcome.duration_s:.1f} s",
            "grid": f"no new data for {ages.get(grid, 'a long time')}" if begins else "sends data again",
            "heartbeat": f"{service} {'does not answer' if begins else 'answers again'}",
        }[kind]
        return Event(at, (_BEGINS if begins else _ENDS)[kind], grid, text)

    begun = [say(condition, begins=True) for condition in sorted(wrong - log.wrong)]
    ended = [say(condition, begins=False) for condition in sorted(log.wrong - wrong)]
    return Log(wrong, (*begun, *ended, *log.events)[:events_max])


def read_log(state_dir: Path) -> Log:
    """The log so far; a file that is absent or torn counts as an empty one."""
    try:
        raw = json.loads((state_dir / FILE_NAME).read_bytes())
        return Log(
            frozenset(Condition(*map(str, condition)) for condition in raw["wrong"]),
            tuple(
                Event(float(at), str(kind), str(grid), str(text)) for at, kind, grid, text in raw["events"]
            ),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return Log()


def write_log(state_dir: Path, log: Log) -> None:
    replace_file(
        state_dir / FILE_NAME, json.dumps({"wrong": sorted(log.wrong), "events": log.events}).encode()
    )


def read_events(state_dir: Path) -> list[Event]:
    """All events that are kept, newest first."""
    return list(read_log(state_dir).events)
