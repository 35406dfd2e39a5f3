"""The largest names stay, the rest is summed."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from collector.sources.top_n import OTHER, top_names

counts = st.dictionaries(
    st.tuples(st.text(max_size=5), st.sampled_from(["idle", "held"])), st.integers(1, 50), max_size=30
)


@given(counts, st.integers(0, 10))
def test_capping_keeps_the_sum_and_the_largest(
    given_counts: dict[tuple[str, str], int], names_max: int
) -> None:
    top = top_names(given_counts, names_max)
    assert sum(top.counts.values()) == sum(given_counts.values())
    names = {name for name, _ in top.counts}
    assert len(names - {OTHER}) <= names_max
    assert (OTHER in names) == (top.overflow > 0)
    assert len(names - {OTHER}) + top.overflow == len({name for name, _ in given_counts})
    totals: Counter[str] = Counter()
    for (name, _), count in top.counts.items():
        totals[name] += count
    raw: Counter[str] = Counter()
    for (name, _), count in given_counts.items():
        raw[name] += count
    kept = sorted((count for name, count in totals.items() if name != OTHER), reverse=True)
    assert kept == sorted(raw.values(), reverse=True)[:names_max]
