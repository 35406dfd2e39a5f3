"""Points of a series, and the steps that a plot or an export has: how long they are, where each begins. Pure.

A step begins at a multiple of its length, so that neighbouring ranges have the same steps; only the days of a
time zone begin at its midnights, and have 23 or 25 hours where clocks change.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import islice, pairwise
from typing import NamedTuple

from cloud_monitor.metrics.paths import STEP_S
from webapp.graphite.timerange import Range

DAY_S = 86400
_BELIEVED_AFTER = 4  # distances: of fewer points it is not said that their store's step is longer
_LOOKED_AT = 200  # points of a series, which has as many thousands
_KEPT_FROM_S = 7 * DAY_S
_ARCHIVE_MARGIN_S = 120
_ON_ITS_WAY_S = 60  # a browser asks for epoch seconds, a moment before they are compared with the time


class SeriesPoint(NamedTuple):
    """A point of a series; value None is a gap. Render JSON has them the other way round."""

    timestamp: int
    value: float | None


class Series(NamedTuple):
    target: str
    points: list[SeriesPoint]


class Step(NamedTuple):
    start_s: int  # epoch seconds
    end_s: int


def native_step(series: Collection[Sequence[SeriesPoint]]) -> int:
    """The step at which all of the series have points: the least common multiple of their own."""
    return min(math.lcm(*map(step_of, series)) if series else STEP_S, DAY_S)


def archive_step(points: Sequence[SeriesPoint]) -> int:
    """The step of the archive that points were read from, gaps included; 0 where it cannot be seen."""
    return _common_distance(point.timestamp for point in points[:_LOOKED_AT])


def step_of(points: Sequence[SeriesPoint]) -> int:
    """The step of one series: that of its timestamps, or that of its values where these lie further apart.

    A store that has no step of its own answers at whatever step it was started with.
    """
    grid_s = archive_step(points)
    known = list(islice((point.timestamp for point in points if point.value is not None), _LOOKED_AT))
    if len(known) > _BELIEVED_AFTER:
        return _common_distance(known) or STEP_S
    return max(grid_s, STEP_S)


def fit_step(native_s: int, wanted_s: int, span: Range, points_max: int) -> int:
    """A step of at least `wanted_s` that holds whole native steps and covers the range with at most
    `points_max` steps.
    """
    most = max(1, points_max - 1)  # a range that starts within a step touches one more
    least_s = native_s * max(1, math.ceil(wanted_s / native_s))
    return least_s * max(1, math.ceil((span.until_s - span.from_s) / most / least_s))


def steps_of_plot(span: Range, step_s: int, now: float) -> list[Step]:
    """Every step that the range touches, also the one that is not over yet."""
    is_age = (int(now) - span.from_s) % DAY_S < _ON_ITS_WAY_S
    first = _first(span, step_s, now, is_age)
    return [Step(at, at + step_s) for at in range(first, min(span.until_s, int(now)) + 1, step_s)]


def steps_of_export(span: Range, step_s: int, now: float) -> list[Step]:
    """Whole steps: those that end after `from` and by `until`. Ranges that adjoin share and lose none."""
    last = min(span.until_s, int(now)) - step_s
    return [Step(at, at + step_s) for at in range(_first(span, step_s, now, span.is_age), last + 1, step_s)]


def days_of_export(span: Range, zone: tzinfo, now: float) -> list[Step]:
    """The days of `zone` that end after `from` and by `until`."""
    day = datetime.fromtimestamp(span.from_s, zone).date()
    until_s = min(span.until_s, int(now))
    days: list[Step] = []
    while True:
        start_s, end_s = (_midnight(one, zone) for one in (day, day + timedelta(1)))
        if end_s > until_s:
            return days
        if end_s > max(span.from_s, start_s):  # a day that a zone skipped has no length
            days.append(Step(start_s, end_s))
        day += timedelta(1)


def stretches_of(steps: Sequence[Step]) -> list[list[Step]]:
    """Neighbouring steps of one length together: a store is asked once for each stretch."""
    stretches: list[list[Step]] = []
    for step in steps:
        before = stretches[-1][-1] if stretches else None
        if before and before.end_s == step.start_s and length_of(before) == length_of(step):
            stretches[-1].append(step)
        else:
            stretches.append([step])
    return stretches


def length_of(step: Step) -> int:
    return step.end_s - step.start_s


def _first(span: Range, step_s: int, now: float, is_age: bool) -> int:
    """The start of the first step.

    `-30d` is older than 30 days once a store reads it, and would be read from the archive of ten minutes: a
    range of just so many days begins with the first step that is within it.
    """
    if is_age and now - span.from_s >= _KEPT_FROM_S:
        return math.ceil((span.from_s + _ARCHIVE_MARGIN_S) / step_s) * step_s
    return span.from_s // step_s * step_s


def _midnight(day: date, zone: tzinfo) -> int:
    return int(datetime.combine(day, time(), zone).timestamp())


def _common_distance(timestamps: Iterable[int]) -> int:
    return math.gcd(*(after - before for before, after in pairwise(timestamps)))
