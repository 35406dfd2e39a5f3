"""Maintenance windows by wall clock in a time zone, summer time included (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple

from webapp.alerts.model import Silence

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WEEKLY = re.compile(r"(?:(?P<day>[A-Z][a-z]{2}) )?(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)\Z")


class WallHours(NamedTuple):
    """`weekday` is 0 for Monday, None for each day. An end no later than the start is the next day's."""

    weekday: int | None
    start: time
    end: time


def parse_hours(text: str) -> WallHours:
    """`Sun 02:00-04:00`, or `22:00-06:00` for each day. Raises ValueError."""
    match = _WEEKLY.match(text.strip())
    if match is None or (match["day"] and match["day"] not in DAYS):
        raise ValueError(f"{text!r} is neither `Sun 02:00-04:00` nor `22:00-06:00`")
    start, end = time.fromisoformat(match["start"]), time.fromisoformat(match["end"])
    if start == end:
        raise ValueError(f"{text!r} begins when it ends")
    return WallHours(DAYS.index(match["day"]) if match["day"] else None, start, end)


def hours_text(hours: WallHours) -> str:
    """The inverse of `parse_hours`."""
    day = "" if hours.weekday is None else f"{DAYS[hours.weekday]} "
    return f"{day}{hours.start:%H:%M}-{hours.end:%H:%M}"


def current(hours: WallHours, zone: tzinfo, now: float) -> tuple[float, float] | None:
    """Beginning and end (epoch seconds) of the window that is open now.

    What begins in the hour that is left out in spring begins after it; what ends in the one that comes twice
    in autumn ends in the second.
    """
    today = datetime.fromtimestamp(now, zone).date()
    for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
        if hours.weekday in (None, day.weekday()):
            last = day if hours.end > hours.start else day + timedelta(days=1)
            begins = datetime.combine(day, hours.start, zone).timestamp()
            ends = max(_moment(last, hours.end, zone, fold) for fold in (0, 1))
            if begins <= now < ends:
                return begins, ends
    return None


def _moment(day: date, at: time, zone: tzinfo, fold: int) -> float:
    return datetime.combine(day, at.replace(fold=fold), zone).timestamp()


class Window(NamedTuple):
    hours: WallHours
    place: str = "*"
    rule: str = "*"
    comment: str = ""


def open_windows(windows: Iterable[Window], zone: tzinfo, now: float) -> tuple[Silence, ...]:
    """Those that are open now, as silences without a number."""
    found = ((window, current(window.hours, zone, now)) for window in windows)
    return tuple(
        Silence(window.rule, window.place, *times, "maintenance", window.comment)
        for window, times in found
        if times is not None
    )
