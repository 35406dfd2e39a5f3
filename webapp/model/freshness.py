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
