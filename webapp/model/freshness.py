"""One rule for every page, plot, export, badge and alert: is a value fresh, stale, missing or zero? Pure."""

from __future__ import annotations

import math
from enum import StrEnum


class Freshness(StrEnum):
    FRESH = "fresh"
    STALE = "stale"  # a value, but an old one: shown with its age, never as if it held now
    MISSING = "missing"  # no value at all
    ZERO = "zero"  # fresh, and nothing there: recedes


def judge(value: float | None, timestamp: int | None, as_of: float, stale_after_s: float) -> Freshness:
    """Judge one value at the epoch second `as_of`.

    A timestamp in the future is as doubtful as an old one: a clock that runs ahead would otherwise keep a
    dead collector's values fresh for as long as it was ahead.
    """
    if value is None or timestamp is None or not math.isfinite(value):
        return Freshness.MISSING
    if abs(as_of - timestamp) > stale_after_s:
        return Freshness.STALE
    return Freshness.ZERO if value == 0 else Freshness.FRESH


def age_text(age_s: float) -> str:
    """An age as people say it, in the two largest units: `45 s`, `3 min`, `2 h 5 min`, `3 d 4 h`."""
    seconds = max(0, int(age_s))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 else f"{days} d"
