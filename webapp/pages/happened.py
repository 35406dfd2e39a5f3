"""What happened, as pages tell it: each condition that began or ended, newest first; annotations as lines.

Symptoms are left out: their cause is told. What flaps is told by its beginning, its last one, and its end.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from cloud_monitor.system.text import duration_text
from webapp.annotations.model import Annotation
from webapp.model.conditions import Episode
from webapp.model.health import GRID_SILENT, HEARTBEAT_LOST, POLL_FAILING

_KINDS = {
    POLL_FAILING: ("poll_failed", "poll_recovered"),
    GRID_SILENT: ("grid_stale", "grid_back"),
    HEARTBEAT_LOST: ("heartbeat_lost", "heartbeat_back"),
}
_OTHERS = ("condition_begun", "condition_over")


class Event(NamedTuple):
    at: float  # epoch seconds
    kind: str  # poll_failed grid_stale heartbeat_lost condition_begun, and how each of them is over
    grid: str  # empty for the poll's own
    message: str


def events_of(episodes: Iterable[Episode]) -> list[Event]:
    """All events, newest first."""
    told = (event for one in episodes if one.cause is None for event in _of_one(one))
    return sorted(told, key=lambda event: event.at, reverse=True)


def _of_one(episode: Episode) -> Iterator[Event]:
    begins, ends = _KINDS.get(episode.key.kind, _OTHERS)
    grid = episode.key.grid
    flapped = f" (on and off {episode.flaps} times)" if episode.flaps else ""
    if episode.ended is not None:
        yield Event(episode.ended, ends, grid, episode.over + flapped)
    if episode.flaps:
        yield Event(episode.again, begins, grid, episode.text + flapped)
    yield Event(episode.began, begins, grid, episode.text)


class HappenedLine(NamedTuple):
    """An annotation: when, what kind, what, by whom."""

    at: float
    time: str  # UTC
    kind: str
    label: str
    text: str


def happened_lines(annotations: Iterable[Annotation]) -> Iterator[HappenedLine]:
    for one in annotations:
        lasted = ""
        if one.until is None:
            lasted = " (goes on)"
        elif one.until > one.at:
            lasted = f" ({duration_text(one.until - one.at)})"
        by = f" by {one.by}" if one.by else ""
        time = f"{datetime.fromtimestamp(one.at, UTC):%Y-%m-%d %H:%M}"
        yield HappenedLine(one.at, time, one.kind, one.label, f"{one.text}{lasted}{by}")
