"""What polls learn of the times of points: how far collectors' clocks are ahead, by when their points arrive,
with ages set right by it; and how far apart a grid's points are in the store.

A store hides points that lie in its future. A collector whose clock is ahead would so look alive, after its
end, for as long as it was ahead. Every run sends its clock; what is new to a poll has arrived since the one
before, and is compared with the store's own time, or with the page's where a list of VMs and jobs came.

What is kept by the hour is not stale after three minutes: a point of a coarse step has the time of the step's
beginning, and stands for all of it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cloud_monitor.metrics.catalog import BY_KEY
from cloud_monitor.metrics.paths import ROOT, STEP_S
from webapp.graphite.steps import Series, SeriesPoint, step_of
from webapp.model.tree import Value

LOOK_AHEAD_S = 3600
CLOCK_TARGETS = tuple(
    BY_KEY[key].template.format(grid="*", host="*") for key in ("collector_clock", "host_collector_clock")
)
_RUN_MAX_S = 600  # a run is not longer, so that a clock is no further from the minute it is sent for
_NOISE_S = 5.0  # whole seconds on both sides, and the way between them
LOOK_S = 7200  # for the store's steps
_KNOWN_FOR_S = 3600.0


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


class StoreSteps(NamedTuple):
    """Steps in seconds by grid, of those whose points are further apart than a minute."""

    seen_at: float = 0.0  # epoch seconds; 0.0 never
    by_grid: Mapping[str, int] = {}

    def is_known(self, now: float) -> bool:
        return 0 <= now - self.seen_at < _KNOWN_FOR_S

    def window_s(self, window_s: float) -> float:
        """How far back a poll has to look for one point of each grid, at least `window_s`."""
        return max(window_s, 2.0 * max(self.by_grid.values(), default=0))


NEVER = StoreSteps()


def find_steps(heartbeats: Iterable[Series], now: float) -> StoreSteps:
    """From the heartbeats of LOOK_S, gaps included: of a grid's series the shortest step."""
    found: dict[str, int] = {}
    for series in heartbeats:
        first, _, rest = series.target.partition(".")
        if first == ROOT and series.points:
            grid, step_s = rest.partition(".")[0], step_of(series.points)
            found[grid] = min(step_s, found.get(grid, step_s))
    return StoreSteps(now, {grid: step_s for grid, step_s in found.items() if step_s > STEP_S})
