"""Reads targets from the store, all at one step: few values come over, however many points are stored.

A store is asked for `summarize`, which Graphite and VictoriaMetrics answer alike; what is short enough is
read as it is kept and summarized here. Never `maxDataPoints`: it labels its averages a point late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import NamedTuple

from cloud_monitor.metrics.paths import STEP_S
from cloud_monitor.metrics.statistics import SUM
from webapp.graphite.gate import GraphiteGate
from webapp.graphite.series import Sampled, Values, merge, place, resample, sample
from webapp.graphite.steps import (
    DAY_S,
    SeriesPoint,
    Step,
    archive_step,
    days_of_export,
    fit_step,
    length_of,
    native_step,
    steps_of_export,
    steps_of_plot,
    stretches_of,
)
from webapp.graphite.targets import PlotTarget
from webapp.graphite.timerange import Range

_KEPT_POINTS_MAX = 20_000  # stored points that are read as they are: a request less, and soon decoded
_LOOK_S = 2 * 3600  # enough to see the step of the coarsest archive
_PIECE_POINTS = 10_000  # values of one answer, decoded: 2 MB
_LATE_STEPS = 3  # a sum whose newest step is older than these is as complete as it will be


class Reading(NamedTuple):
    target: PlotTarget
    sampled: Sampled  # empty for a target that Graphite has nothing of
    archive_s: int  # the step of the store's archive that has it from the range's beginning on; 0 unknown
    steps: Sequence[Step]  # of the whole range, the same of all readings of a request


class Wish(NamedTuple):
    """What is to be read. An export has whole steps only, and with a step of a day the days of `zone`."""

    span: Range
    points_max: int
    step_s: int = 0  # the shortest that is wanted
    is_export: bool = False
    zone: tzinfo = UTC


def read_targets(gate: GraphiteGate, targets: Sequence[PlotTarget], wish: Wish, now: float) -> list[Reading]:
    """One reading a target, in order, all at the same step: the given one or the finest that fits.

    It is never finer than the coarsest that any of them is kept in, and wide enough for the range to take at
    most `points_max` steps. Raises RequestRefused as GraphiteGate does.
    """
    is_days = wish.is_export and wish.step_s == DAY_S and wish.zone is not UTC
    guess_s = fit_step(STEP_S, wish.step_s, wish.span, wish.points_max)
    around = _around(_steps_of(wish, guess_s, now)) or wish.span
    is_short = not is_days and (around.until_s - around.from_s) // STEP_S * len(targets) <= _KEPT_POINTS_MAX
    looked = around if is_short else Range(around.from_s, around.from_s + _LOOK_S)
    kept = fetch_points(gate, [target.expression for target in targets], looked)
    native_s = native_step(kept.values())
    archive_s = {text: archive_step(points) for text, points in kept.items()}
    step_s = DAY_S if is_days else fit_step(native_s, wish.step_s, wish.span, wish.points_max)
    steps = days_of_export(wish.span, wish.zone, now) if is_days else _steps_of(wish, step_s, now)
    values: dict[str, Values] = {}
    if is_short and step_s <= guess_s:
        for target in targets:
            if not target.is_sum:
                points = kept.get(target.text, ())
                values[target.text] = Values(resample(points, steps, target.metric.statistic))
    del kept
    rest = [target for target in targets if target.text not in values]
    values |= read_summarized(gate, rest, steps)
    for target in targets:
        if target.is_sum or target.metric.statistic == SUM:
            _leave_unfinished(gate, target, steps, values[target.text], native_s, now)
    timestamps = [step.start_s for step in steps]
    return [
        Reading(target, sample(step_s, timestamps, values[target.text]), archive_s.get(target.text, 0), steps)
        for target in targets
    ]


def _steps_of(wish: Wish, step_s: int, now: float) -> list[Step]:
    return (steps_of_export if wish.is_export else steps_of_plot)(wish.span, step_s, now)


def read_summarized(
    gate: GraphiteGate, targets: Sequence[PlotTarget], steps: Sequence[Step]
) -> dict[str, Values]:
    """One value a step and target, a few targets at a time: memory is bounded by what is kept of each."""
    values = {target.text: Values() for target in targets}
    for stretch in stretches_of(steps):
        length_s = length_of(stretch[0])
        from_start = stretch[0].start_s % length_s != 0  # days of a zone
        at_once = max(1, _PIECE_POINTS // len(stretch))
        for first in range(0, len(targets), at_once):
            some = targets[first : first + at_once]
            expressions = [target.summarized(length_s, from_start=from_start) for target in some]
            found = fetch_points(gate, expressions, Range(stretch[0].start_s, stretch[-1].end_s))
            for target in some:
                values[target.text].extend(place(found.get(target.text, ()), stretch))
    return values


def _leave_unfinished(
    gate: GraphiteGate,
    target: PlotTarget,
    steps: Sequence[Step],
    values: Values,
    native_s: int,
    now: float,
) -> None:
    """Take away the newest value where it would be a fall that is none: what counts in a step that is not
    over, and a sum of which not all have reported.
    """
    for at in range(len(steps) - 1, -1, -1):
        start_s, end_s = steps[at]
        unfinished = end_s > now if target.metric.statistic == SUM else start_s + native_s > now
        if unfinished:
            values.clear_at(at)
        elif target.is_sum and start_s > now - (_LATE_STEPS + 1) * native_s:
            span = Range(start_s - native_s, min(end_s, int(now) + 1))
            reporting = fetch_points(gate, [target.reporting], span).get(target.text, ())
            before, newest = _most(reporting, span.from_s, start_s), _most(reporting, start_s, end_s)
            if newest < before:
                values.clear_at(at)
            return
        else:
            return


def _most(points: Sequence[SeriesPoint], start_s: int, end_s: int) -> float:
    return max((value or 0.0 for at, value in points if start_s <= at < end_s), default=0.0)


def fetch_points(
    gate: GraphiteGate, expressions: Sequence[str], span: Range, *, drop_nulls: bool = False
) -> dict[str, list[SeriesPoint]]:
    """Points by path. Stores differ in which end of a range belongs to it; one second less, none is there."""
    return merge(gate.fetch_series(expressions, span.from_s - 1, span.until_s - 1, drop_nulls=drop_nulls))


def _around(steps: Sequence[Step]) -> Range | None:
    return Range(steps[0].start_s, steps[-1].end_s) if steps else None
