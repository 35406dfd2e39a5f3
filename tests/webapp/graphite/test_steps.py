"""How long the steps of a plot or an export are, and where they begin."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.graphite.steps import (
    SeriesPoint,
    Step,
    days_of_export,
    fit_step,
    native_step,
    steps_of_export,
    steps_of_plot,
    stretches_of,
)
from webapp.graphite.timerange import Range

DAY_S = 86400
NOW = 1_800_000_000
VANCOUVER = ZoneInfo("America/Vancouver")


def points(*at: int, grid_s: int = 0) -> list[SeriesPoint]:
    grid = range(min(at), max(at) + 1, grid_s) if grid_s else at
    return [SeriesPoint(one, 1.0 if one in at else None) for one in grid]


@pytest.mark.parametrize(
    ("series", "step_s"),
    [
        ([], 60),
        ([[]], 60),
        ([points(0)], 60),
        ([points(*range(0, 6000, 10))], 10),
        ([points(*range(0, 6000, 300))], 300),
        ([points(*range(0, 6000, 60), grid_s=10)], 60),  # a store that was started with steps of 10 s
        ([points(*range(0, 6000, 300), grid_s=60)], 300),
        ([points(0, 600, grid_s=60)], 60),  # a gap is no step
        ([points(0, 420, 660, 1200, 1320, 1500, grid_s=60)], 60),
        ([points(3600, 7200)], 3600),
        ([points(*range(0, 9000, 600)), points(*range(0, 9000, 900))], 1800),
    ],
)
def test_the_step_of_a_store_is_found_from_its_data(series: list[list[SeriesPoint]], step_s: int) -> None:
    assert native_step(series) == step_s


@given(
    st.sampled_from([10, 60, 300, 600, 3600]),
    st.integers(0, DAY_S),
    st.integers(0, 10**9),
    st.integers(1, 10**8),
    st.integers(2, 5000),
)
def test_the_step_fits_the_range(
    native_s: int, wanted_s: int, from_s: int, length_s: int, points_max: int
) -> None:
    step_s = fit_step(native_s, wanted_s, Range(from_s, from_s + length_s), points_max)
    assert step_s % native_s == 0
    assert step_s >= wanted_s
    assert (from_s + length_s) // step_s - from_s // step_s + 1 <= points_max


_LENGTHS = st.integers(1, 3 * DAY_S)


@given(st.integers(0, 10**6), _LENGTHS, _LENGTHS, st.sampled_from([60, 540, 3600]))
def test_exports_that_adjoin_share_no_step_and_lose_none(
    a: int, first: int, second: int, step_s: int
) -> None:
    b, c = a + first, a + first + second
    parts = [steps_of_export(Range(*span), step_s, c) for span in ((a, b), (b, c))]
    assert parts[0] + parts[1] == steps_of_export(Range(a, c), step_s, c)
    assert all(step.end_s <= c and step.start_s % step_s == 0 for step in parts[1])


def test_an_export_ends_with_the_last_step_that_is_over_and_a_plot_with_that_of_now() -> None:
    now = NOW // 3600 * 3600 + 1800
    span = Range(now - 7200, now + 7200)
    assert [step.start_s - now for step in steps_of_export(span, 3600, now)] == [-9000, -5400]
    assert [step.start_s - now for step in steps_of_plot(span, 3600, now)] == [-9000, -5400, -1800]


def local(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=VANCOUVER).timestamp())


@pytest.mark.parametrize(("day", "hours"), [("2024-03-09", 24), ("2024-03-10", 23), ("2024-11-03", 25)])
def test_days_are_those_of_the_zone(day: str, hours: int) -> None:
    start_s = local(day)
    (step,) = days_of_export(Range(start_s, start_s + hours * 3600), VANCOUVER, NOW)
    assert step == Step(start_s, start_s + hours * 3600)
    assert len(steps_of_export(Range(*step), 3600, NOW)) == hours
    assert days_of_export(Range(start_s, start_s + hours * 3600 - 1), VANCOUVER, NOW) == []


def test_a_year_of_days_is_five_stretches() -> None:
    days = days_of_export(Range(local("2024-01-01"), local("2025-01-01")), VANCOUVER, NOW)
    assert len(days) == 366
    assert [len(stretch) for stretch in stretches_of(days)] == [69, 1, 237, 1, 58]
    assert len(stretches_of(steps_of_plot(Range(0, DAY_S), 60, NOW))) == 1


@pytest.mark.parametrize(("days", "step_s"), [(30, 2640), (365, 31_800), (7, 660)])
def test_a_range_of_days_is_read_from_the_archive_that_keeps_so_many(days: int, step_s: int) -> None:
    first = steps_of_plot(Range(NOW - days * DAY_S, NOW), step_s, NOW + 2)[0]
    assert 100 < first.start_s - (NOW - days * DAY_S) <= step_s + 120
    assert steps_of_export(Range(NOW - days * DAY_S, NOW, is_age=True), step_s, NOW)[0] == first
    whole = steps_of_export(Range(NOW - days * DAY_S, NOW), step_s, NOW)
    assert whole[0].start_s <= NOW - days * DAY_S
