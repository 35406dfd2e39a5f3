"""How series come to one resolution, and to common timestamps."""

from __future__ import annotations

from operator import itemgetter

from hypothesis import given
from hypothesis import strategies as st

from webapp.graphite.client import SeriesPoint
from webapp.graphite.series import Sampled, fit_step, join, resample, step_of


def test_steps_are_averaged_and_gaps_stay_gaps() -> None:
    points = [
        SeriesPoint(0, 1.0),
        SeriesPoint(60, 3.0),
        SeriesPoint(120, None),
        SeriesPoint(180, None),
        SeriesPoint(240, 5.0),
        SeriesPoint(300, None),
    ]
    assert resample(points, 120, -1, 360) == Sampled(120, [0, 120, 240], [2.0, None, 5.0])


def test_series_are_joined_on_the_timestamp() -> None:
    early, late = Sampled(60, [0, 60, 120], [1.0, None, 3.0]), Sampled(60, [60, 120, 180], [7.0, 8.0, 9.0])
    table = join([early, late])
    assert table.timestamps == [0, 60, 120, 180]
    assert table.columns == [[1.0, None, 3.0, None], [None, 7.0, 8.0, 9.0]]


_values = st.none() | st.floats(-1e6, 1e6)
_points = st.lists(st.tuples(st.integers(0, 200), _values), max_size=40).map(
    lambda raw: [SeriesPoint(60 * minute, value) for minute, value in sorted(raw, key=itemgetter(0))]
)


@given(_points, st.integers(1, 20))
def test_averages_lie_within_and_every_step_is_there(points: list[SeriesPoint], factor: int) -> None:
    sampled = resample(points, 60 * factor, -1, 12_000)
    assert sampled.timestamps == sorted(set(sampled.timestamps))
    known = [value for _, value in points if value is not None]
    assert all(value is None or min(known) - 1e-6 <= value <= max(known) + 1e-6 for value in sampled.values)
    for timestamp, value in zip(sampled.timestamps, sampled.values, strict=True):
        inside = [p.value for p in points if p.timestamp // (60 * factor) * 60 * factor == timestamp]
        assert (value is None) == all(one is None for one in inside)


@given(st.integers(1, 3600), st.integers(0, 10**9), st.integers(1, 10**8), st.integers(2, 5000))
def test_the_step_fits_the_range(step_s: int, from_s: int, length_s: int, points_max: int) -> None:
    step = fit_step(step_s, from_s, from_s + length_s, points_max)
    assert step % step_s == 0
    assert (from_s + length_s) // step - from_s // step + 1 <= points_max


def test_the_step_is_the_smallest_distance() -> None:
    assert step_of([SeriesPoint(0, 1.0), SeriesPoint(300, 1.0), SeriesPoint(360, 1.0)], 7) == 60
    assert step_of([SeriesPoint(0, 1.0)], 7) == 7
