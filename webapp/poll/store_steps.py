"""How far apart a grid's points are in the store: what is kept by the hour is not stale after three minutes.

A point of a coarse step has the time of the step's beginning, and stands for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cloud_monitor.metrics.paths import ROOT, STEP_S
from webapp.graphite.steps import Series, step_of

LOOK_S = 7200
_KNOWN_FOR_S = 3600.0


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
