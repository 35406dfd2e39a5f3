"""Percentiles of waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.sources.htcondor.waits import percentile


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 9)), min_size=1), st.sampled_from([50, 95]))
def test_a_percentile_is_the_nearest_rank(rows: list[tuple[float, int]], percent: int) -> None:
    rows.sort()
    every = [value for value, weight in rows for _ in range(weight)]
    assert percentile(rows, percent) == every[-(-len(every) * percent // 100) - 1]
