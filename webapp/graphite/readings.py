"""Read what a plot or an export asks for: checked targets over a checked range, at one stated resolution."""

from __future__ import annotations

from typing import NamedTuple

from cloud_monitor.metrics.paths import STEP_S
from webapp.graphite.gate import GraphiteGate
from webapp.graphite.series import Sampled, fit_step, resample, step_of
from webapp.graphite.targets import Target
from webapp.graphite.timerange import Range


class Reading(NamedTuple):
    target: Target
    sampled: Sampled  # empty for a target that Graphite has nothing of


def read_targets(
    gate: GraphiteGate, targets: list[Target], span: Range, points_max: int, step_s: int | None = None
) -> list[Reading]:
    """One reading a target, in order, all at the same step: the given one or the finest that fits.

    It is never finer than the coarsest that any of them is kept in, and wide enough for the range to take at
    most `points_max` steps. Raises Refused as GraphiteGate does.
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
