"""Where coarser values were made by the store in another way than the metric's own: a maximum was averaged.

Stores do not say how they roll points up (graphite-web's question about it fails in 1.1.10). It is seen from
the values: of the last hours a store has both the points and what its coarser archive made of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from cloud_monitor.metrics.paths import STEP_S
from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, SUM, Statistic
from webapp.graphite.gate import GraphiteGate
from webapp.graphite.reading import Reading, fetch_points
from webapp.graphite.series import statistic_of
from webapp.graphite.steps import SeriesPoint, archive_step
from webapp.graphite.targets import paths_of
from webapp.graphite.timerange import Range

_NEWEST_S = 1800  # is in every store's finest archive
_COMPARED_S = 6 * 3600  # stores keep their finest points for that long, and most for longer
_PATHS_OF_A_SUM = 3  # of one metric: its files were made by one rule as a rule
_PATHS_MAX = 10  # of one request
_SAID: Mapping[Statistic | None, str] = {
    MEAN: "averaged by the store",
    MAX: "only the largest kept by the store",
    LAST: "only the last kept by the store",
    SUM: "summed by the store",
    None: "made coarser by the store in a way of its own",
}


def read_rollup_notes(
    gate: GraphiteGate, readings: Sequence[Reading], paths: Collection[str], now: float
) -> dict[str, str]:
    """What is to be said of values that the store has made of finer ones, by target; `paths` are all known.

    Asked only of what is no mean and is read from a coarser archive. Raises RequestRefused as GraphiteGate.
    """
    coarse = [
        reading
        for reading in readings
        if reading.archive_s > STEP_S and reading.steps and reading.target.metric.statistic != MEAN
    ]
    of_target = {one.target.text: paths_of(one.target, paths, _PATHS_OF_A_SUM) for one in coarse}
    asked = sorted({path for found in of_target.values() for path in found})[:_PATHS_MAX]
    if not asked:
        return {}
    newest = fetch_points(gate, asked, Range(int(now) - _NEWEST_S, int(now)))
    steps_s = {path: archive_step(points) for path, points in newest.items()}
    archive_s = max(reading.archive_s for reading in coarse)
    rolled_up = [path for path in asked if 0 < steps_s.get(path, 0) < archive_s]
    if not rolled_up:
        return {}
    points = fetch_points(gate, rolled_up, Range(int(now) - _COMPARED_S, int(now)), drop_nulls=True)
    # From as far back as the readings, so that it is their archive that is read.
    sliced = [f'alias(timeSlice({path},"-{_COMPARED_S}s","now"),"{path}")' for path in rolled_up]
    span = Range(coarse[0].steps[0].start_s, int(now))
    made = fetch_points(gate, sliced, span, drop_nulls=True)
    notes: dict[str, str] = {}
    for reading in coarse:
        statistic = reading.target.metric.statistic
        for path in of_target[reading.target.text]:
            if path in rolled_up:
                note = rollup_note(statistic, reading.archive_s, points.get(path, ()), made.get(path, ()))
                if note:
                    notes[reading.target.text] = note
    return notes


def rollup_note(
    own: Statistic, archive_s: int, points: Sequence[SeriesPoint], made: Sequence[SeriesPoint]
) -> str:
    """What is to be said of an archive's values `made` of the points, if most are not their statistic `own`.

    Steps whose points are all alike, as of a figure that stands still, do not tell; empty where none does.
    """
    within: dict[int, list[float]] = {}
    for timestamp, value in points:
        if value is not None:
            within.setdefault(timestamp // archive_s * archive_s, []).append(value)
    ways: Counter[Statistic | None] = Counter()
    compared = 0
    for timestamp, value in made[:-1]:  # the newest is being made
        inside = within.get(timestamp, [])
        if value is None or len(inside) < archive_s // STEP_S or len(set(inside)) < 2:  # whole, and uneven
            continue
        compared += 1
        like = [way for way in (own, MEAN, MAX, LAST, SUM) if _is_like(value, statistic_of(inside, way))]
        ways[like[0] if like else None] += 1
    if not compared or ways[own] * 2 >= compared:
        return ""
    return _SAID[ways.most_common(1)[0][0]]


def _is_like(value: float, other: float | None) -> bool:
    return other is not None and math.isclose(value, other, rel_tol=1e-9)
