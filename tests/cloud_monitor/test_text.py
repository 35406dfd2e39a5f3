"""Text that others wrote, and durations in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.system.text import (
    TEXT_LENGTH_MAX,
    age_text,
    counted,
    duration_text,
    one_line,
    parse_duration,
    without_controls,
)


@given(st.text(st.integers(0, 0x10FFFF).map(chr), max_size=2000), st.integers(1, 400))
def test_text_is_one_printable_line_of_bounded_length(text: str, length_max: int) -> None:
    shown = one_line(text, length_max)
    assert len(shown) <= length_max
    assert shown.isprintable()
    shown.encode()  # no half of a surrogate pair
    assert one_line(shown, length_max) == shown


def test_what_does_not_print_becomes_a_space_and_what_is_cut_says_so() -> None:
    assert one_line("a\x00b\r\n\t c\u202ed\ud800e") == "a b c d e"
    assert one_line("<script>alert(1)</script>") == "<script>alert(1)</script>"  # for the page to escape
    assert one_line("x" * TEXT_LENGTH_MAX) == "x" * TEXT_LENGTH_MAX
    assert one_line("x" * 1_000_000) == "x" * (TEXT_LENGTH_MAX - 1) + "…"
    assert one_line(" " * 1_000_000 + "x") == "…"


def test_a_terminal_shows_where_control_characters_were() -> None:
    assert without_controls("a\x1b[2Jb\u202ec\n") == "a\ufffd[2Jb\ufffdc\ufffd"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"), (-5, "0 s"), (0, "0 s"), (12.4, "12 s"), (59.6, "1 min"), (200, "3 min 20 s"),
        (3900, "1 h 5 min"), (7200, "2 h"), (3 * 86_400 + 4 * 3600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_durations_in_words(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("age_s", "text"),
    [
        (-5, "0 s"), (0, "0 s"), (59.9, "59 s"), (60, "1 min"), (119, "1 min"), (3599, "59 min"),
        (3600, "1 h"), (7500, "2 h 5 min"), (86_400, "1 d"), (100_000, "1 d 3 h"),
    ],
)  # fmt: skip
def test_ages_in_words(age_s: float, text: str) -> None:
    assert age_text(age_s) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("90m", 5400), ("4 h", 14_400), (" 1.5d ", 129_600), ("0s", 0)]
)
def test_durations_as_people_give_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "4", "h", "-4h", "4 hours", "4h30m", "4H", "٤h", "1e3s", "4h\n4h"])
def test_a_duration_that_cannot_be_read_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(ValueError, match="no time such as 30s, 10m, 4h or 2d"):
        parse_duration(text)


def test_one_is_said_without_its_plural() -> None:
    assert [counted(number, "chunk") for number in (0, 1, 1200)] == ["0 chunks", "1 chunk", "1,200 chunks"]
    assert (counted(1, "batch", "batches"), counted(2, "batch", "batches")) == ("1 batch", "2 batches")
