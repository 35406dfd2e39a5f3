"""Maintenance windows by wall clock over both clock changes."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from webapp.alerts.rules.windows import Window, current, open_windows, parse_hours

VIENNA = ZoneInfo("Europe/Vienna")


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("hours", "begins", "ends"),
    [
        ("Sun 02:00-04:00", "2026-03-22T01:00", "2026-03-22T03:00"),  # winter
        ("Sun 02:00-04:00", "2026-03-29T01:00", "2026-03-29T02:00"),  # 02:00 does not exist
        ("Sun 02:00-02:30", "2026-03-29T01:00", "2026-03-29T01:30"),  # nor does 02:30
        ("Sun 02:00-04:00", "2026-10-25T00:00", "2026-10-25T03:00"),  # 02:00 comes twice
        ("Sun 02:00-02:30", "2026-10-25T00:00", "2026-10-25T01:30"),
        ("22:00-06:00", "2026-03-28T21:00", "2026-03-29T04:00"),
        ("Sat 22:00-06:00", "2026-10-24T20:00", "2026-10-25T05:00"),
    ],
)
def test_a_window_is_open_from_its_beginning_to_its_end(hours: str, begins: str, ends: str) -> None:
    parsed = parse_hours(hours)
    expected = (utc(begins), utc(ends))
    assert current(parsed, VIENNA, expected[0]) == expected
    assert current(parsed, VIENNA, expected[1] - 1) == expected
    for outside in (expected[0] - 1, expected[1]):
        assert current(parsed, VIENNA, outside) is None


@pytest.mark.parametrize("text", ["Son 02:00-04:00", "02:00", "25:00-26:00", "Sun 02:00-02:00", ""])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_hours(text)


def test_open_windows_silence_their_place() -> None:
    window = Window(parse_hours("Sun 02:00-04:00"), "atlas", "*", "storage")
    (silence,) = open_windows([window], VIENNA, utc("2026-03-22T02:00"))
    assert (silence.place, silence.ends_at, silence.comment) == ("atlas", utc("2026-03-22T03:00"), "storage")
    assert open_windows([window], VIENNA, utc("2026-03-23T02:00")) == ()
