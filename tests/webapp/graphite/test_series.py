"""What may be asked of plots: targets, times, zones; and how series come to one resolution."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.errors import RequestRefused
from webapp.graphite.client import SeriesPoint
from webapp.graphite.series import Sampled, fit_step, join, resample, step_of
from webapp.graphite.targets import check_target, check_targets
from webapp.graphite.timerange import Range, parse_range, parse_time, parse_zone

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    "text",
    [
        "grids.g.jobs.all.idle",
        "grids.g.clouds.c.vms.t.running",
        "util.live_hosts.g.h",
        "grids.g.held.code_13",
    ],
)
def test_a_path_is_asked_for_as_it_is(text: str) -> None:
    target = check_target(text)
    assert (target.text, target.expression) == (text, text)


def test_a_star_is_the_sum_over_names() -> None:
    target = check_target("grids.*.clouds.*.vms.*.running")
    assert target.metric.unit == "vms"
    assert (
        target.expression
        == 'alias(sumSeries(grids.*.clouds.*.vms.*.running),"grids.*.clouds.*.vms.*.running")'
    )


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "*", "*.*", "grids", "grids.*", "*.g.jobs.all.idle", "grids.g.*.all.idle", "grids.g.held.",
        "grids.g.jobs.a*.idle", "grids.g.jobs.{a,b}.idle", "grids.g.jobs.[ab].idle", "grids.g.jobs.a?.idle",
        "sumSeries(grids.g.jobs.*.idle)", "grids.g.held.code_1,grids.g.held.code_2", "grids.g.held.code_1\n",
        'grids.g.jobs.all.idle"', "grids.g.jobs.all.idle;a=b", "carbon.agents.a.cpuUsage",
        "grids.g.jobs.ü.idle",
        "grids." + "g" * 2000 + ".jobs.all.idle", "seriesByTag('name=x')", "grids.g.jobs.all.idle\x00",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        check_target(text)
    assert caught.value.status == 400


@given(st.text(max_size=60) | st.from_regex(r"grids\.[a-z*.]{0,30}", fullmatch=True))
def test_what_reaches_graphite_holds_no_syntax_of_its_own(text: str) -> None:
    try:
        target = check_target(text)
    except RequestRefused:
        return
    assert set(target.text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.*")


def test_targets_are_counted_once_each() -> None:
    idle, held = "grids.g.jobs.all.idle", "grids.g.jobs.all.held"
    assert [target.text for target in check_targets([idle, held, idle], 2)] == [idle, held]
    with pytest.raises(RequestRefused, match="at most 1 "):
        check_targets([idle, held], 1)
    with pytest.raises(RequestRefused, match="at least one"):
        check_targets([], 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW), ("-1h", NOW - 3600), ("-5min", NOW - 300), ("-30s", NOW - 30), ("-7d", NOW - 7 * 86400),
        ("-2w", NOW - 14 * 86400), ("-6mon", NOW - 180 * 86400), ("-1y", NOW - 365 * 86400),
        ("1700000000", 1_700_000_000), ("2023-11-14T22:13:20Z", 1_700_000_000), ("2023-11-14", 1_699_920_000),
        ("2023-11-14 23:13:20+01:00", 1_700_000_000),
    ],
)  # fmt: skip
def test_times(text: str, expected: float) -> None:
    assert parse_time("from", text, NOW, UTC) == expected


def test_a_time_without_offset_is_meant_in_the_zone() -> None:
    assert parse_time("from", "2024-07-01T12:00", NOW, parse_zone("Europe/Vienna")) == 1_719_828_000


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "-1", "1h", "-1x", "-999999999y", "99999999999", "1e9", "٣٠٠٠٠٠٠٠٠٠", "0001-01-01",
        "9999-12-31", "-1h;", "2024-02-30",
    ],
)  # fmt: skip
def test_other_times_are_refused_by_name(text: str) -> None:
    with pytest.raises(RequestRefused, match="from="):
        parse_time("from", text, NOW, UTC)


@pytest.mark.parametrize(
    "text", ["", "Nowhere/City", "../../etc/passwd", "/etc/localtime", "Europe", "UTC\x00", "a" * 99]
)
def test_other_zones_are_refused(text: str) -> None:
    with pytest.raises(RequestRefused, match="tz="):
        parse_zone(text)


def test_ranges_are_bounded() -> None:
    assert parse_range("-1h", "now", NOW, UTC, 10) == Range(int(NOW) - 3600, int(NOW))
    for pair, said in (
        (("now", "-1h"), "before"),
        (("now", "now"), "before"),
        (("-11d", "now"), "at most 10 days"),
    ):
        with pytest.raises(RequestRefused, match=said):
            parse_range(*pair, NOW, UTC, 10)


@given(st.text(max_size=30))
def test_no_text_raises_anything_else(text: str) -> None:
    for parse in (lambda: parse_time("from", text, NOW, UTC), lambda: parse_zone(text)):
        with suppress(RequestRefused):
            parse()


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
