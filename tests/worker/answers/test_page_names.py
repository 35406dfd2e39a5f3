"""Names of pages: every name says one thing, also where a real file is named as a page is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from worker.answers.page_names import page_name, split_page


@pytest.mark.parametrize(
    ("name", "page", "shown"),
    [
        ("a.png", None, "a.png"),
        ("a.pdf", 3, "a.pdf#page=3"),
        ("a.pdf#page=3", None, "a.pdf#page=3#page=1"),
        ("a.pdf#page=3", 2, "a.pdf#page=3#page=2"),
        ("a#page=0", None, "a#page=0"),
        ("a#page=x", None, "a#page=x"),
    ],
)
def test_pages_are_named(name: str, page: int | None, shown: str) -> None:
    assert page_name(name, page) == shown


NAMES = some.text("a#page=12", max_size=20)
PAGES = some.none() | some.integers(1, 12)


@given(NAMES, PAGES, NAMES, PAGES)
def test_no_two_have_the_same_name(name: str, page: int | None, other: str, other_page: int | None) -> None:
    same = page_name(name, page) == page_name(other, other_page)
    first_of = name == other and {page, other_page} == {None, 1}  # a file has one page, or several
    assert same == ((name, page) == (other, other_page)) or (same and first_of)


@given(NAMES, some.integers(2, 12))
def test_a_page_is_found_again(name: str, page: int) -> None:
    assert split_page(page_name(name, page)) == (name, page)
    assert split_page(page_name(name, None)) == (name, None)
