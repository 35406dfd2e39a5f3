"""Series at a stated resolution: averaged into steps, gaps kept, several joined on the timestamp. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from cloud_monitor.metrics.paths import STEP_S
from webapp.graphite.client import SeriesPoint
from webapp.graphite.gate import GraphiteGate
from webapp.graphite.targets import PlotTarget
from webapp.graphite.timerange import Range


class Sampled(NamedTuple):
    """A series at equal steps. Each timestamp is the start of its step; None is a step without any value."""

    step_s: int
    timestamps: list[int]
    values: list[float | None]


class JoinedSeries(NamedTuple):
    """Several series on common timestamps: `columns` has one list a series, in their order."""

    step_s: int
    timestamps: list[int]
    columns: list[list[float | None]]


def step_of(points: Sequence[SeriesPoint], default_s: int) -> int:
    """The distance of neighbouring points in seconds; the smallest one where they differ."""
    gaps = (after.timestamp - before.timestamp for before, after in pairwise(points))
    return min((gap for gap in gaps if gap > 0), default=default_s)


def resample(points: Iterable[SeriesPoint], step_s: int, from_s: int, until_s: int) -> Sampled:
    """Average the points after `from_s` and up to `until_s` into steps that start at multiples of `step_s`.

    Every step is there from the first to the last that has a point.
    """
    sums: dict[int, tuple[float, int]] = {}
    for timestamp, value in points:
        if from_s < timestamp <= until_s:
            start = timestamp // step_s * step_s
            total, count = sums.get(start, (0.0, 0))
            sums[start] = (total, count) if value is None else (total + value, count + 1)
    if not sums:
        return Sampled(step_s, [], [])
    timestamps = list(range(min(sums), max(sums) + 1, step_s))
    return Sampled(step_s, timestamps, [_mean(*sums.get(start, (0.0, 0))) for start in timestamps])


def fit_step(step_s: int, from_s: int, until_s: int, points_max: int) -> int:
    """The smallest multiple of `step_s` that covers the range with at most `points_max` steps."""
    most = max(1, points_max - 1)  # a range that starts within a step touches one more
    return step_s * max(1, math.ceil((until_s - from_s) / most / step_s))


def join(series: Sequence[Sampled]) -> JoinedSeries:
    """Join series of one step on the timestamp; where a series has no such step, the cell is None."""
    step_s = max((one.step_s for one in series), default=0)
    timestamps = sorted({timestamp for one in series for timestamp in one.timestamps})
    columns = []
    for one in series:
        by_time = dict(zip(one.timestamps, one.values, strict=True))
        columns.append([by_time.get(timestamp) for timestamp in timestamps])
    return JoinedSeries(step_s, timestamps, columns)


def _mean(total: float, count: int) -> float | None:
    if not count:
        return None
    mean = total / count
    return mean if math.isfinite(mean) else None


class Reading(NamedTuple):
    target: PlotTarget
    sampled: Sampled  # empty for a target that Graphite has nothing of


def read_targets(
    gate: GraphiteGate, targets: list[PlotTarget], span: Range, points_max: int, step_s: int | None = None
) -> list[Reading]:
    """One reading a target, in order, all at the same step: the given one or the finest that fits.

    It is never finer than the coarsest that any of them is kept in, and wide enough for the range to take at
    most `points_max` steps. Raises RequestRefused as GraphiteGate does.
    """
    # One fewer, as fit_step reckons: Graphite's averages and ours then have the same step.
    graphite_points = None if step_s else points_max - 1
    expressions = [target.expression for target in targets]
    # A step more on both sides: stores differ in which end of a range belongs to it; resample cuts it alike.
    found = gate.fetch_series(expressions, span.from_s - STEP_S, span.until_s + STEP_S, graphite_points)
    points = {series.target: series.points for series in found}
    native_s = max((step_of(series.points, STEP_S) for series in found), default=STEP_S)
    step = fit_step(max(step_s or 0, native_s), span.from_s, span.until_s, points_max)
    return [
        Reading(target, resample(points.get(target.text, []), step, span.from_s, span.until_s))
        for target in targets
    ]
