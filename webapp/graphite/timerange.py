"""Times as people and scripts write them: epoch seconds, ISO 8601, or relative to now. Pure.

The browser reads the same grammar, for plots: webapp/static/js/ranges.js.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webapp.errors import RequestRefused

_RELATIVE = re.compile(r"(?:now)?\s*-\s*(\d{1,9})\s*([a-z]+?)s?\Z", re.ASCII | re.IGNORECASE)
_UNITS = {  # each also with an s behind it
    1: ("s", "sec", "second"),
    60: ("m", "min", "minute"),
    3600: ("h", "hour"),
    86400: ("d", "day"),
    7 * 86400: ("w", "week"),
    30 * 86400: ("mon", "month"),
    365 * 86400: ("y", "year"),
}
_UNITS_S = {name: length_s for length_s, names in _UNITS.items() for name in names}
_DAY = r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
_TIME = r"(?P<hour>\d\d?)(?::?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:\.\d{1,9})?)?)?"
_OFFSET = r"(?P<offset>Z|[+-]\d\d(?::?\d\d)?)?"
_ISO = re.compile(rf"{_DAY}(?:[T ]{_TIME}{_OFFSET})?\Z", re.ASCII)
_AT = re.compile(rf"(?P<hour>\d\d?):(?P<minute>\d\d)_{_DAY}\Z", re.ASCII)  # Graphite's own: 14:00_20261127
_EPOCH_MAX = 2**32
_ACCEPTED = "expected epoch seconds, ISO 8601 such as 2026-01-31T12:00, now, or -NUMBER with s m h d w mon y"


class Range(NamedTuple):
    from_s: int  # epoch seconds
    until_s: int
    is_age: bool = False  # from was said as an age: -30d


def parse_range(from_text: str, until_text: str, now: float, zone: tzinfo, range_max_days: int) -> Range:
    """Raises RequestRefused (400) for a time that cannot be read, a range that is empty or too long."""
    from_s, until_s = (
        parse_time(name, text, now, zone) for name, text in (("from", from_text), ("until", until_text))
    )
    if from_s >= until_s:
        raise RequestRefused(400, "range_empty", f"from ({from_s}) must be before until ({until_s})")
    if until_s - from_s > range_max_days * 86400:
        raise RequestRefused(400, "range_too_long", f"a range of at most {range_max_days} days is served")
    return Range(from_s, until_s, is_age=from_text.startswith("-"))


def parse_time(name: str, text: str, now: float, zone: tzinfo) -> int:
    """`text` as epoch seconds. A time without an offset is meant in `zone`: of two such times, where clocks
    are set back, the first; of none, where they are set on, the time as if they had not been.
    """
    if text == "now":
        return int(now)
    relative = _RELATIVE.match(text)
    if relative and (unit_s := _UNITS_S.get(relative[2].lower())):
        found = int(now) - int(relative[1]) * unit_s
    elif text.isascii() and text.isdigit() and 9 <= len(text) <= 10:
        found = int(text)
    else:
        found = _absolute(name, text, zone)
    if not 0 <= found <= _EPOCH_MAX:
        raise RequestRefused(400, "time_refused", f"{name}={text[:50]!r} lies outside 1970 to 2106")
    return found


def parse_zone(text: str) -> tzinfo:
    """An IANA time zone such as Europe/Vienna. Raises RequestRefused (400) for what is none."""
    if text == "UTC":
        return UTC
    if re.fullmatch(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,2}", text):
        try:
            return ZoneInfo(text)
        except (KeyError, ValueError, OSError):  # absent, not a zone's file, a folder
            pass
    raise RequestRefused(
        400, "zone_refused", f"tz={text[:50]!r} is not a time zone; expected a name such as Europe/Vienna"
    )


def _absolute(name: str, text: str, zone: tzinfo) -> int:
    try:
        if len(text) <= 40 and (read := _ISO.match(text) or _AT.match(text)):
            parts = read.groupdict()
            year, month, day = (int(parts[part]) for part in ("year", "month", "day"))
            hour, minute, second = (int(parts.get(part) or 0) for part in ("hour", "minute", "second"))
            where = _offset(parts.get("offset"), zone)
            return int(datetime(year, month, day, hour, minute, second, tzinfo=where).timestamp())
    except (ValueError, OverflowError, OSError):
        pass
    raise RequestRefused(400, "time_refused", f"{name}={text[:50]!r} is not a time; {_ACCEPTED}") from None


def _offset(text: str | None, zone: tzinfo) -> tzinfo:
    if not text:
        return zone
    if text == "Z":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:]) if len(text) > 3 else 0
    east = timedelta(hours=hours, minutes=minutes)
    return timezone(-east if text.startswith("-") else east)
