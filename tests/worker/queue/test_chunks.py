"""A split loses nothing, keeps the order, and is even."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.queue.enqueue import split


@given(st.lists(st.text(max_size=3), max_size=200), st.integers(1, 60))
def test_a_split_is_whole_ordered_and_even(names: list[str], most: int) -> None:
    parts = split(names, most)
    assert [name for part in parts for name in part] == names
    sizes = {len(part) for part in parts}
    assert all(0 < size <= most for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-len(names) // most)
