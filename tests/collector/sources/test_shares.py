"""Dividing too little room, and text that others wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.sources.shares import even_shares, shares_by_interest

amounts = st.lists(st.integers(0, 10**6), max_size=10)
rooms = st.integers(0, 10**6)


@given(amounts, rooms)
def test_all_room_is_used_and_nobody_gets_more_than_wanted(wanted: list[int], room: int) -> None:
    shares = shares_by_interest(wanted, room)
    assert all(0 <= share <= amount for share, amount in zip(shares, wanted, strict=True))
    assert sum(shares) == min(room, sum(wanted))


@given(amounts, rooms)
def test_each_gets_half_of_what_the_more_interesting_ones_left(wanted: list[int], room: int) -> None:
    for share, amount in zip(shares_by_interest(wanted, room), wanted, strict=True):
        assert share == amount or 2 * share >= room
        room -= share


def test_many_held_jobs_do_not_hide_the_others() -> None:
    assert shares_by_interest([73_000, 2_000, 60_000, 10], 1000) == [500, 250, 240, 10]
    assert shares_by_interest([73_000, 20, 0, 10], 1000) == [970, 20, 0, 10]


@given(amounts, rooms)
def test_even_shares_differ_only_where_less_is_wanted(wanted: list[int], room: int) -> None:
    shares = even_shares(wanted, room)
    assert sum(shares) == min(room, sum(wanted))
    short = [share for share, amount in zip(shares, wanted, strict=True) if share < amount]
    assert not short or max(shares) - min(short) <= 1
