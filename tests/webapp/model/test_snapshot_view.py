"""One rule for fresh, stale, missing and zero."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.model.snapshot_view import Freshness, judge

values = st.none() | st.floats()


@pytest.mark.parametrize(
    ("value", "timestamp", "expected"),
    [
        (3.0, 1000, Freshness.FRESH),
        (0.0, 1000, Freshness.ZERO),
        (-0.0, 1000, Freshness.ZERO),
        (3.0, 820, Freshness.FRESH),
        (3.0, 819, Freshness.STALE),
        (0.0, 819, Freshness.STALE),
        (3.0, 1181, Freshness.STALE),  # from a clock that runs ahead
        (None, 1000, Freshness.MISSING),
        (3.0, None, Freshness.MISSING),
        (math.nan, 1000, Freshness.MISSING),
        (math.inf, 1000, Freshness.MISSING),
    ],
)
def test_rule(value: float | None, timestamp: int | None, expected: Freshness) -> None:
    assert judge(value, timestamp, as_of=1000, stale_after_s=180) is expected


@given(values, st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_nothing_gets_fresher_with_time(
    value: float | None, timestamp: int, wait_s: int, more_s: int
) -> None:
    shown = (Freshness.FRESH, Freshness.ZERO)
    earlier = judge(value, timestamp, timestamp + wait_s, 180)
    later = judge(value, timestamp, timestamp + wait_s + more_s, 180)
    assert later is earlier or (earlier in shown and later is Freshness.STALE)
