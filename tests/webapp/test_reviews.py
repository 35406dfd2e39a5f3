"""Reviews are kept by picture and answer; the newest counts, and where it is taken back the one before."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from cloud_monitor.reviews import Review
from webapp.reviews import (
    FILE_NAME,
    HISTORY_MAX,
    PIECE,
    KeptReview,
    ReviewedMeanwhile,
    ReviewsFull,
    ReviewsRead,
    open_reviews,
)

MANY = 1000


def review(picture: int = 0, smiles: str = "CCO", verdict: str = "right", by: str = "anna") -> Review:
    return Review(f"{picture:064x}", smiles, verdict, None, by, 1_760_000_000.0)


def add(state_dir: Path, *reviews: Review) -> list[KeptReview]:
    with open_reviews(state_dir) as store:
        return [store.add(one, MANY) for one in reviews]


def listed(state_dir: Path) -> list[Review]:
    return [kept.review for piece in ReviewsRead(state_dir).pieces() for kept in piece]


def take_back(state_dir: Path, number: int) -> tuple[KeptReview, KeptReview | None] | None:
    with open_reviews(state_dir) as store:
        return store.take_back(number)


def test_the_newest_of_an_answer_counts(tmp_path: Path) -> None:
    assert listed(tmp_path) == []
    assert ReviewsRead(tmp_path).find([("a", "b")]) == {}
    assert not ReviewsRead(tmp_path).has_any()
    hostile = review(1, "<b>\u202e\U0001f600", "corrected")._replace(corrected_smiles="=cmd()")
    add(tmp_path, review(), hostile, review(smiles="CCN"))
    (second,) = add(tmp_path, review(verdict="wrong", by="bert"))
    assert listed(tmp_path) == [hostile, review(smiles="CCN"), second.review]
    keys = [(one.image_hash, one.smiles) for one in (review(), hostile, review(smiles="C"))]
    found = ReviewsRead(tmp_path).find(keys)
    assert {key: kept.review for key, kept in found.items()} == {keys[0]: second.review, keys[1]: hostile}


def test_what_is_taken_back_brings_back_the_one_before(tmp_path: Path) -> None:
    first, other, second = add(tmp_path, review(), review(1), review(verdict="wrong"))
    assert take_back(tmp_path, second.number) == (second, first)
    assert listed(tmp_path) == [first.review, other.review]
    assert take_back(tmp_path, first.number) == (first, None)
    assert take_back(tmp_path, first.number) is None
    assert ReviewsRead(tmp_path).has_any()
    assert listed(tmp_path) == [other.review]
    (third,) = add(tmp_path, review())
    assert third.number > second.number, "no number names two"


def test_only_the_newest_is_taken_back(tmp_path: Path) -> None:
    first, second = add(tmp_path, review(), review(verdict="wrong"))
    with pytest.raises(ReviewedMeanwhile) as refused:
        take_back(tmp_path, first.number)
    assert refused.value.newest == second
    assert listed(tmp_path) == [second.review]


def test_bounded_in_number_and_in_history(tmp_path: Path) -> None:
    kept = add(tmp_path, *[review(by=f"r{n}") for n in range(3 * HISTORY_MAX)])
    with open_reviews(tmp_path) as store, pytest.raises(ReviewsFull):
        store.add(review(1), HISTORY_MAX)
    assert len(listed(tmp_path)) == 1
    for number in range(HISTORY_MAX):
        found = take_back(tmp_path, kept[-1 - number].number)
        assert found is not None
        assert found[0] == kept[-1 - number]
    assert listed(tmp_path) == []


def test_a_file_whose_first_review_was_refused_has_none(tmp_path: Path) -> None:
    with pytest.raises(ReviewsFull), open_reviews(tmp_path) as store:
        store.add(review(), 0)
    assert (tmp_path / FILE_NAME).exists()
    assert listed(tmp_path) == []


def test_all_are_read_in_pieces_and_found_however_many_are_asked_for(tmp_path: Path) -> None:
    given = [review(number, f"C{number % 3}") for number in range(PIECE + 3)]
    add(tmp_path, *given)
    assert [len(piece) for piece in ReviewsRead(tmp_path).pieces()] == [PIECE, 3]
    assert listed(tmp_path) == given
    keys = [(one.image_hash, one.smiles) for one in given]
    assert len(ReviewsRead(tmp_path).find(keys)) == len(given)


def test_who_write_at_once_lose_nothing(tmp_path: Path) -> None:
    def write(by: str) -> None:
        for number in range(10):
            add(tmp_path, review(number, by=by))

    writers = [threading.Thread(target=write, args=(by,)) for by in ("anna", "bert", "carl")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(listed(tmp_path)) == 10
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        assert connection.execute("SELECT count(*) FROM reviews").fetchone() == (30,)


def test_a_broken_file_is_told_to_who_reads_and_set_aside_by_who_writes(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database, but long enough to be one" * 100)
    with pytest.raises(sqlite3.DatabaseError):
        listed(tmp_path)
    add(tmp_path, review())
    assert listed(tmp_path) == [review()]
    assert len(list(tmp_path.glob(f"{FILE_NAME}.corrupt-*"))) == 1
