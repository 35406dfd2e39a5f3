"""What happened, newest first: each condition that began or ended, made from the memory of them. Pure.

Symptoms are left out: their cause is told. What flaps is told by its beginning, its last one, and its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

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
