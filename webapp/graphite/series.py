"""Series at a stated resolution: a value a step by the metric's own statistic, joined on the time. Pure."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, Statistic
from webapp.graphite.steps import Series, SeriesPoint, Step

_GAP = math.nan  # finite numbers are all that is read from a store
_END = SeriesPoint(sys.maxsize, None)


class Values:
    """As a list of finite floats, 8 bytes each where that would take 32; None is a gap."""

    __slots__ = ("_kept",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, values: Iterable[float | None] = ()) -> None:
        self._kept = array("d")
        self.extend(values)

    def extend(self, values: Iterable[float | None]) -> None:
        self._kept.extend(_GAP if value is None else value for value in values)

    def clear_at(self, at: int) -> None:
        self._kept[at] = _GAP

    @property
    def is_empty(self) -> bool:
        """Whether there are gaps only."""
        return all(map(math.isnan, self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def __iter__(self) -> Iterator[float | None]:
        return (None if math.isnan(value) else value for value in self._kept)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Values | Sequence) else NotImplemented

    def __repr__(self) -> str:
        return f"Values({list(self)})"


class Sampled(NamedTuple):
    """A series at its steps. Each timestamp is the start of a step; None is a step without any value."""

    step_s: int
    timestamps: list[int]
    values: Values


class JoinedSeries(NamedTuple):
    """Several series on common timestamps: `columns` has the values of each, in their order."""

    step_s: int
    timestamps: list[int]
    columns: list[Values]


def merge(found: Iterable[Series]) -> dict[str, list[SeriesPoint]]:
    """Series by path. What a store has under one path in several series, with other tags, is one series:
    where they have points of one time, that of the series with the newest point counts.
    """
    by_path: dict[str, list[list[SeriesPoint]]] = {}
    for series in found:
        by_path.setdefault(path_of(series.target), []).append(series.points)
    return {path: alike[0] if len(alike) == 1 else _merge(alike) for path, alike in by_path.items()}


def path_of(target: str) -> str:
    """A series' name without the tags that a store may write behind it: `path;env=prod`."""
    return target.partition(";")[0]


def resample(
    points: Iterable[SeriesPoint], steps: Sequence[Step], statistic: Statistic
) -> list[float | None]:
    """The statistic of the points within each step; both in the order of their times."""
    found: list[float | None] = []
    rest = iter(points)
    timestamp, value = next(rest, _END)
    for start_s, end_s in steps:
        while timestamp < start_s:
            timestamp, value = next(rest, _END)
        inside = []
        while timestamp < end_s:
            if value is not None:
                inside.append(value)
            timestamp, value = next(rest, _END)
        found.append(statistic_of(inside, statistic))
    return found


def place(points: Iterable[SeriesPoint], steps: Sequence[Step]) -> list[float | None]:
    """Of points that are one a step already, that of each step."""
    return resample(points, steps, LAST)


def sample(step_s: int, timestamps: list[int], values: Values) -> Sampled:
    """Steps with their values; no steps at all where not one of them has a value."""
    if values.is_empty:
        return Sampled(step_s, [], Values())
    return Sampled(step_s, timestamps, values)


def join(series: Sequence[Sampled]) -> JoinedSeries:
    """Join series of one step on the timestamp; where a series has no such step, the cell is None."""
    step_s = max((one.step_s for one in series), default=0)
    timestamps = sorted({timestamp for one in series for timestamp in one.timestamps})
    columns = []
    for one in series:
        if one.timestamps == timestamps:  # as all are that were read together: nothing is copied
            columns.append(one.values)
            continue
        by_time = dict(zip(one.timestamps, one.values, strict=True))
        columns.append(Values(by_time.get(timestamp) for timestamp in timestamps))
    return JoinedSeries(step_s, timestamps, columns)


def statistic_of(values: list[float], statistic: Statistic) -> float | None:
    """Of values in the order of their times; None of none, and where it is no finite number."""
    if not values:
        return None
    if statistic == MAX:
        return max(values)
    if statistic == LAST:
        return values[-1]
    total = sum(values)
    found = total / len(values) if statistic == MEAN else total
    return found if math.isfinite(found) else None


def _merge(alike: list[list[SeriesPoint]]) -> list[SeriesPoint]:
    merged: dict[int, float | None] = {}
    for points in sorted(alike, key=_newest):
        for timestamp, value in points:
            if value is not None or timestamp not in merged:
                merged[timestamp] = value
    return [SeriesPoint(timestamp, merged[timestamp]) for timestamp in sorted(merged)]


def _newest(points: Sequence[SeriesPoint]) -> int:
    return max((timestamp for timestamp, value in points if value is not None), default=0)
