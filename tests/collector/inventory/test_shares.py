"""Dividing too little room, and text that others wrote."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.system.text import TEXT_LENGTH_MAX, displayable
from collector.inventory.shares import even_shares, shares_by_interest

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


@given(st.text(st.integers(0, 0x10FFFF).map(chr), max_size=2000), st.integers(1, 400))
def test_text_is_one_printable_line_of_bounded_length(text: str, length_max: int) -> None:
    shown = displayable(text, length_max)
    assert len(shown) <= length_max
    assert shown.isprintable()
    shown.encode()  # no half of a surrogate pair
    assert displayable(shown, length_max) == shown


def test_what_does_not_print_becomes_a_space_and_what_is_cut_says_so() -> None:
    assert displayable("a\x00b\r\n\t c\u202ed\ud800e") == "a b c d e"
    assert displayable("<script>alert(1)</script>") == "<script>alert(1)</script>"  # for the page to escape
    assert displayable("x" * TEXT_LENGTH_MAX) == "x" * TEXT_LENGTH_MAX
    assert displayable("x" * 1_000_000) == "x" * (TEXT_LENGTH_MAX - 1) + "…"
    assert displayable(" " * 1_000_000 + "x") == "…"
