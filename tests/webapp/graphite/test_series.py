"""How series come to one resolution, and to common timestamps."""

from __future__ import annotations

import tracemalloc
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.metrics.statistics import LAST, MAX, MEAN, SUM, Statistic
from webapp.graphite.series import Sampled, Values, join, merge, resample, sample
from webapp.graphite.steps import Series, SeriesPoint, Step


def steps(*starts: int, step_s: int) -> list[Step]:
    return [Step(start, start + step_s) for start in starts]


@pytest.mark.parametrize(
    ("statistic", "first", "last"), [(MEAN, 2.0, 5.0), (MAX, 3.0, 5.0), (LAST, 1.0, 5.0), (SUM, 4.0, 5.0)]
)
def test_a_step_has_its_statistic_and_gaps_stay_gaps(statistic: Statistic, first: float, last: float) -> None:
    values = [3.0, 1.0, None, None, 5.0, None]
    points = [SeriesPoint(60 * at, value) for at, value in enumerate(values)]
    assert resample(points, steps(0, 120, 240, step_s=120), statistic) == [first, None, last]


def test_what_lies_outside_all_steps_is_left_out() -> None:
    points = [SeriesPoint(at, 1.0) for at in range(0, 600, 60)]
    assert resample(points, [Step(120, 180), Step(300, 420)], SUM) == [1.0, 2.0]
    assert resample(points, [], SUM) == []


def test_a_series_without_a_value_has_no_steps() -> None:
    assert sample(60, [0, 60], Values([None, None])) == Sampled(60, [], Values())
    some = Values([None, 0.0])
    assert sample(60, [0, 60], some) == Sampled(60, [0, 60], some)


def test_series_of_one_path_are_merged_and_the_newest_wins() -> None:
    path = "grids.g.jobs.all.idle"
    old = Series(f"{path};env=test", [SeriesPoint(0, 1.0), SeriesPoint(60, 2.0), SeriesPoint(120, None)])
    new = Series(path, [SeriesPoint(60, 7.0), SeriesPoint(120, 8.0), SeriesPoint(180, None)])
    expected = [SeriesPoint(0, 1.0), SeriesPoint(60, 7.0), SeriesPoint(120, 8.0), SeriesPoint(180, None)]
    assert merge([old, new]) == merge([new, old]) == {path: expected}


def test_series_are_joined_on_the_timestamp() -> None:
    early = Sampled(60, [0, 60, 120], Values([1.0, None, 3.0]))
    late = Sampled(60, [60, 120, 180], Values([7.0, 8.0, 9.0]))
    table = join([early, late])
    assert table.timestamps == [0, 60, 120, 180]
    assert table.columns == [[1.0, None, 3.0, None], [None, 7.0, 8.0, 9.0]]


def test_values_take_eight_bytes_each_and_gaps_stay_gaps() -> None:
    given_ = [number / 3 if number % 7 else None for number in range(100_000)]
    tracemalloc.start()
    try:
        kept = Values(value for value in given_)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert list(kept) == given_ == kept
    assert size < 1.2 * 8 * len(given_)
    kept.clear_at(-1)
    assert list(kept)[-2:] == [given_[-2], None]
    assert Values([None]).is_empty
    assert not Values([None, 0.0]).is_empty


_values = st.none() | st.floats(-1e6, 1e6)
_points = st.lists(st.tuples(st.integers(0, 200), _values), max_size=40).map(
    lambda raw: [SeriesPoint(60 * minute, value) for minute, value in sorted(raw, key=itemgetter(0))]
)


@given(_points, st.integers(1, 20))
def test_means_lie_within_and_gaps_stay_gaps(points: list[SeriesPoint], factor: int) -> None:
    whole = steps(*range(0, 12_060, 60 * factor), step_s=60 * factor)
    known = [value for _, value in points if value is not None]
    for step, value in zip(whole, resample(points, whole, MEAN), strict=True):
        inside = [p.value for p in points if step.start_s <= p.timestamp < step.end_s]
        assert (value is None) == all(one is None for one in inside)
        assert value is None or min(known) - 1e-6 <= value <= max(known) + 1e-6
