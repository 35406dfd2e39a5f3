"""What pages are made from: the snapshot, how the polling goes, the time that ages are counted to; and
by one rule for all, whether a value is fresh, stale, missing or zero. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from cloud_monitor.metrics.paths import ROOT, STEP_S
from cloud_monitor.system.text import age_text
from webapp.model.tree import Snapshot, Value


class Freshness(StrEnum):
    FRESH = "fresh"
    STALE = "stale"  # a value, but an old one: shown with its age, never as if it held now
    MISSING = "missing"  # no value at all
    ZERO = "zero"  # fresh, and nothing there: recedes


def judge(value: float | None, timestamp: int | None, as_of: float, stale_after_s: float) -> Freshness:
    """Judge one value at the epoch second `as_of`.

    A timestamp in the future is as doubtful as an old one: a clock that runs ahead would otherwise keep a
    dead collector's values fresh for as long as it was ahead.
    """
    if value is None or timestamp is None or not math.isfinite(value):
        return Freshness.MISSING
    if abs(as_of - timestamp) > stale_after_s:
        return Freshness.STALE
    return Freshness.ZERO if value == 0 else Freshness.FRESH


@dataclass(frozen=True, slots=True)
class PollOutcome:
    """The last poll. Times are epoch seconds, 0.0 for never."""

    attempted_at: float = 0.0
    finished_at: float = 0.0  # of the last poll that came to an end, well or not
    succeeded_at: float = 0.0
    failures: int = 0  # failed polls since the last good one
    whole_attempted_at: float = 0.0  # of the last poll for everything, not for one small answer
    whole_failures: int = 0  # polls for everything that failed in a row, though small answers came
    empty_polls: int = 0  # good polls in a row that found no series
    error: str = ""  # what went wrong with the last finished poll; empty when it went well
    duration_s: float = 0.0
    requests: int = 0
    series: int = 0
    refused_names: int = 0  # series left out because their names are not text that can be shown


class AlertCount(NamedTuple):
    """Alerts that fire and that nobody takes care of yet; `worst` is the severity of the worst of them."""

    firing: int = 0
    worst: str = ""


NO_ALERTS = AlertCount()


@dataclass(frozen=True, slots=True)
class SnapshotView:
    """A snapshot seen at `as_of` (epoch seconds). All processes agree on `as_of` and `stamp`."""

    snapshot: Snapshot
    outcome: PollOutcome
    as_of: int
    stale_after_s: float
    alerts: AlertCount = NO_ALERTS

    @property
    def stamp(self) -> str:
        """Changes with the snapshot, the outcome of the last poll, the alerts, and the minute; unquoted."""
        finished, alerts = self.outcome.finished_at, self.alerts
        counted = f"-{alerts.firing}{alerts.worst}" if alerts.firing else ""
        return f"{self.snapshot.taken_at * 1000:.0f}-{finished * 1000:.0f}-{self.as_of}{counted}"

    @property
    def age_s(self) -> float | None:
        """Age of the snapshot in seconds; None before the first good poll."""
        return max(0.0, self.as_of - self.snapshot.taken_at) if self.snapshot.taken_at else None

    @property
    def held_fleets(self) -> tuple[str, ...]:
        """Grids whose whole fleet is held by `pause --all`, as far as is known now."""
        marks = ((grid.name, grid.fleet.figures.get("held")) for grid in self.snapshot.grids)
        return tuple(name for name, mark in marks if mark and self.is_fresh(mark) and mark.value == 1)

    def freshness(self, value: Value) -> Freshness:
        stale_after_s = self.stale_after_s
        if self.snapshot.steps_s:
            stale_after_s += max(0, self._step_s(value.path) - STEP_S)
        return judge(value.value, value.timestamp, self.as_of, stale_after_s)

    def is_fresh(self, value: Value | None) -> bool:
        """Whether a value may be judged: it holds now, be it zero or not."""
        return value is not None and self.freshness(value) in (Freshness.FRESH, Freshness.ZERO)

    def age(self, value: Value) -> str:
        """The value's age as text; empty for a value that is missing."""
        return "" if value.timestamp is None else age_text(self.as_of - value.timestamp)

    def _step_s(self, path: str) -> int:
        """Of a sum over grids it is the longest."""
        steps_s = self.snapshot.steps_s
        first, *names = path.split(".", 3)
        grid = (names if first == ROOT else names[1:])[:1]
        return max(steps_s.values()) if grid == ["*"] else steps_s.get("".join(grid), STEP_S)
