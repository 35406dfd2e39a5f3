"""Lines of reviews: what one side writes the other reads as it was, and refuses what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_monitor.reviews import LINE_MAX, SMILES_MAX, Review, read_line, write_line

GOOD = Review("ab" * 32 + "#page=3", "CCO", "corrected", "CCN", "anna", 1_760_000_000.5)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@given(TEXT, TEXT, st.sampled_from(["right", "wrong"]), TEXT, st.floats(0, 1e11))
def test_a_line_is_read_as_it_was_written(
    picture: str, smiles: str, verdict: str, reviewer: str, at: float
) -> None:
    review = Review(picture, smiles, verdict, None, reviewer, at)
    line = write_line(review)
    assert read_line(line) == review
    assert line.count("\n") == 1
    assert line.isascii()
    assert "<" not in line


def test_the_longest_line_is_no_longer_than_is_read() -> None:
    longest = GOOD._replace(smiles="\U0001f600" * SMILES_MAX, corrected_smiles="\U0001f600" * SMILES_MAX)
    assert len(write_line(longest)) < LINE_MAX
    assert read_line(write_line(longest)) == longest


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"verdict": "maybe"}, "verdict 'maybe' is none of right, wrong, corrected"),
        ({"verdict": None}, "verdict"),
        ({"verdict": "right"}, "corrected_smiles"),
        ({"corrected_smiles": None}, "corrected_smiles"),
        ({"corrected_smiles": ""}, "corrected_smiles"),
        ({"smiles": "C" * (SMILES_MAX + 1)}, "smiles: is no text of 1 to 4,000 characters"),
        ({"smiles": ["C"]}, "smiles"),
        ({"image_hash": ""}, "image_hash"),
        ({"reviewer": 7}, "reviewer"),
        ({"reviewed_at": "now"}, "reviewed_at"),
        ({"reviewed_at": True}, "reviewed_at"),
        ({"reviewed_at": float("inf")}, "reviewed_at"),
    ],
)
def test_what_is_no_review_is_refused_by_name(change: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_line(json.dumps(GOOD._asdict() | change))


@pytest.mark.parametrize("line", ["", "[]", "{", "null", "[" * 90_000, b"\xff"])
def test_what_is_no_object_is_refused(line: str | bytes) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        read_line(line)
