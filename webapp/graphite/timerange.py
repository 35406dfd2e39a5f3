"""Times as people and scripts write them: epoch seconds, ISO 8601, or relative to now. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

from webapp.errors import RequestRefused

_RELATIVE = re.compile(r"-([0-9]{1,9})(s|min|h|d|w|mon|y)\Z")
_UNITS_S = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "mon": 30 * 86400, "y": 365 * 86400}
_EPOCH_MAX = 2**32
_ACCEPTED = (
    "expected epoch seconds, ISO 8601 such as 2026-01-31T12:00, now, or -NUMBER with s min h d w mon y"
)


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
    """`text` as epoch seconds. A time without an offset is meant in `zone`."""
    if text == "now":
        return int(now)
    if relative := _RELATIVE.match(text):
        found = int(now) - int(relative[1]) * _UNITS_S[relative[2]]
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
        found = datetime.fromisoformat(text) if len(text) <= 40 else None
        if found is not None:
            return int((found if found.tzinfo else found.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError, OSError):
        pass
    raise RequestRefused(400, "time_refused", f"{name}={text[:50]!r} is not a time; {_ACCEPTED}") from None
