"""How far collectors' clocks are ahead, told by when their points arrive; and ages set right by it.

A store hides points that lie in its future. A collector whose clock is ahead would so look alive, after its
end, for as long as it was ahead. Every run sends its clock; what is new to a poll has arrived since the one
before, and is compared with the store's own time, or with the page's where a list of VMs and jobs came. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cloud_monitor.metrics.catalog import BY_KEY
from cloud_monitor.metrics.paths import ROOT
from webapp.graphite.steps import Series, SeriesPoint
from webapp.model.tree import Value

LOOK_AHEAD_S = 3600
CLOCK_TARGETS = tuple(
    BY_KEY[key].template.format(grid="*", host="*") for key in ("collector_clock", "host_collector_clock")
)
_RUN_MAX_S = 600  # a run is not longer, so that a clock is no further from the minute it is sent for
_NOISE_S = 5.0  # whole seconds on both sides, and the way between them


class Clock(NamedTuple):
    """`seen` is what the last poll saw: minute -> the clock that was sent for it, in epoch seconds."""

    ahead_s: float  # 0 where it is not ahead; it may be up to a minute more
    seen: Mapping[int, int]


def observe(known: Clock | None, points: Iterable[SeriesPoint], store_s: float) -> Clock | None:
    """The clock after a poll at `store_s`, by the store; None where nothing is known."""
    seen = {
        at: round(value)
        for at, value in points
        if value is not None and at <= value <= at + _RUN_MAX_S and at <= store_s + LOOK_AHEAD_S
    }
    before = known.seen if known else {}
    new = [sent for at, sent in seen.items() if before.get(at) != sent]
    if not new:
        return known
    ahead_s = max(new) - store_s
    return Clock(ahead_s if ahead_s > _NOISE_S else 0.0, seen)


def observe_all(
    known: Mapping[str, Clock], series: Iterable[Series], store_s: float, arrivals: Mapping[str, float]
) -> dict[str, Clock]:
    """The clocks by owner (see owner_of). `arrivals` are grids that the store tells nothing of, with how far
    their clocks were ahead when a list came from them.
    """
    clocks = dict(known)
    told = set()
    for one in series:
        owner = owner_of(one.target)
        clock = observe(known.get(owner), one.points, store_s)
        if clock is not None:
            clocks[owner] = clock
            told.add(owner)
    for grid, ahead_s in arrivals.items():
        if grid not in told:
            clocks[grid] = Clock(ahead_s if ahead_s > _NOISE_S else 0.0, {})
    return clocks


def owner_of(path: str) -> str:
    """Whose clock a path's times are by: a grid's, or `grid/host` of a further scheduler host."""
    first, grid, *rest = path.split(".")
    if first != ROOT:
        return rest[0]
    return f"{grid}/{rest[1]}" if rest[0] == "hosts" else grid


def set_right(values: Sequence[Value], clocks: Mapping[str, Clock]) -> list[Value]:
    """The values with times by the store's clock, for those that were sent by one that is ahead."""
    ahead = {owner: round(clock.ahead_s) for owner, clock in clocks.items() if clock.ahead_s}
    if not ahead:
        return list(values)
    return [
        value._replace(timestamp=value.timestamp - ahead.get(owner_of(value.path), 0))
        if value.timestamp is not None
        else value
        for value in values
    ]
