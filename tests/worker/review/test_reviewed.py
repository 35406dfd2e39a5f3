"""Results by their reviews, whatever a picture is called and however many reviews there are of others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256

import pytest
from sqlalchemy import Connection, text

from tests.worker.queue.helpers import claim, drop_pictures
from worker.queue import Queue, QueueError, Result, Usage
from worker.review import (
    FAILED,
    After,
    AnswerKey,
    BandAgreement,
    BatchPage,
    ResultFilter,
    read_answers,
    read_batch_agreement,
    read_batch_page,
)

COUNT = 24  # pictures; every fourth has an error
LEAST = (0.25, 0.5, 0.75, 0.95)


class GivenVerdicts:
    def __init__(self, verdicts: Mapping[AnswerKey, str], piece: int = 2) -> None:
        self._verdicts, self._piece = verdicts, piece

    def pieces(self) -> Iterator[Mapping[AnswerKey, str]]:
        keys = list(self._verdicts)
        for start in range(0, len(keys), self._piece):
            yield {key: self._verdicts[key] for key in keys[start : start + self._piece]}

    def find(self, keys: Collection[AnswerKey]) -> Mapping[AnswerKey, str]:
        return {key: self._verdicts[key] for key in keys if key in self._verdicts}


def file_hash(number: int) -> str:
    return sha256(str(number).encode()).hexdigest()


@pytest.fixture
def filled(queue: Queue) -> Queue:
    """Batch `run` of single pictures, `again` of the same files, elsewhere, and a document of two pages."""
    for name in ("run", "again"):
        queue.add_directories(
            queue.add_batch(name, f"/{name}"), [("d", [f"{n}.png" for n in range(COUNT)])], 30
        )
        held = claim(queue)
        queue.store(held, [answer(n, name) for n in range(COUNT)])
        queue.finish(held, Usage())
    queue.add_directories(queue.add_batch("paged", "/paged"), [("d", ["0.pdf"])], 30)
    held = claim(queue)
    others = queue.add_pages(held, held.images[0], 2)
    held = held.with_pages(others)
    pages = [
        Result(n, f"C{n}", ("C", "O"), (1.0, 0.95), sha256=file_hash(0))
        for n in (held.images[0].number, others[0].number)
    ]
    queue.finish(queue.store(held, pages), Usage())
    return queue


def answer(number: int, batch: str) -> Result:
    if number % 4 == 3:
        return Result(number, None, error="BlankImage: grey", sha256=file_hash(number))
    smiles = "changed" if batch == "again" and number == 1 else f"C{number}"
    return Result(number, smiles, ("C", "O"), (1.0, LEAST[number % 4]), sha256=file_hash(number))


def read(
    url: str, review: str, verdicts: Mapping[AnswerKey, str], name: str = "run", count: int = 60, **asked: str
) -> list[str]:
    """The SMILES, page after page, or the name of what has none."""
    shown: list[str] = []
    after: After | None = None
    while True:
        page = page_of(url, ResultFilter(review=review, **asked), verdicts, name, count, after)
        shown += [row.result.smiles or row.image for row in page.rows]
        if (after := page.after) is None:
            return shown


def page_of(
    url: str, chosen: ResultFilter, verdicts: Mapping[AnswerKey, str], name: str, count: int,
    after: After | None = None,
) -> BatchPage:  # fmt: skip
    found = read_batch_page(url, name, chosen, after, count, verdicts=GivenVerdicts(verdicts))
    assert found is not None
    return found


GIVEN = {
    (file_hash(8), "C8"): "right",
    (file_hash(0), "C0"): "corrected",
    (file_hash(2), "C2"): "right",
    (file_hash(1), "C1"): "wrong",
    (file_hash(1), "C"): "right",  # of another answer
    (file_hash(3), "C3"): "right",  # of what has an error now
    (file_hash(99), "C99"): "wrong",  # of what is in no batch
    ("no hash", "C"): "right",
}


@pytest.mark.parametrize("count", [1, 2, 60])
@pytest.mark.parametrize(
    ("review", "shown"),
    [
        ("reviewed", ["C0", "C8", "C1", "C2"]),
        ("right", ["C8", "C2"]),
        ("wrong", ["C0", "C1"]),
    ],
)
def test_reviewed_results_the_least_sure_first(
    filled: Queue, queue_url: str, review: str, shown: list[str], count: int
) -> None:
    assert read(queue_url, review, GIVEN, count=count) == shown


@pytest.mark.parametrize("count", [1, 5, 60])
def test_what_was_not_reviewed(filled: Queue, queue_url: str, count: int) -> None:
    everything = read(queue_url, "", {})
    assert len(everything) == COUNT - COUNT // 4
    reviewed = read(queue_url, "reviewed", GIVEN)
    assert read(queue_url, "unreviewed", GIVEN, count=count) == [
        smiles for smiles in everything if smiles not in reviewed
    ]
    assert read(queue_url, "unreviewed", {}, count=count) == everything
    assert len(read(queue_url, "unreviewed", GIVEN, show=FAILED, count=count)) == COUNT // 4
    assert read(queue_url, "reviewed", GIVEN, show=FAILED) == []


def test_reviews_go_with_other_filters(filled: Queue, queue_url: str) -> None:
    assert read(queue_url, "reviewed", GIVEN, text="8.p") == ["C8"]
    with_one = ["C12", "C16", "C13", "C17", "C10", "C14", "C18"]
    assert read(queue_url, "unreviewed", GIVEN, text="C1") == with_one


def test_reviews_hold_for_the_same_picture_elsewhere_until_its_answer_changes(
    filled: Queue, queue_url: str
) -> None:
    assert read(queue_url, "reviewed", GIVEN, name="again") == ["C0", "C8", "C2"]


def test_pages_of_a_document_are_pictures_of_their_own(filled: Queue, queue_url: str) -> None:
    page = page_of(queue_url, ResultFilter(), {}, "paged", 60)
    assert [row.image_hash for row in page.rows] == [f"{file_hash(0)}#page=1", f"{file_hash(0)}#page=2"]
    second = {(f"{file_hash(0)}#page=2", "C1"): "right", (file_hash(0), "C0"): "right"}
    assert read(queue_url, "reviewed", second, name="paged") == ["C1"]
    assert read(queue_url, "unreviewed", second, name="paged") == ["C0"]


def test_agreement_by_band(filled: Queue, queue_url: str) -> None:
    found = read_batch_agreement(queue_url, "run", GivenVerdicts(GIVEN))
    assert found == (
        BandAgreement(0.0, "below 0.5", 2, 1),
        BandAgreement(0.5, "0.5 to 0.6", 1, 0),
        BandAgreement(0.6, "0.6 to 0.7", 0, 0),
        BandAgreement(0.7, "0.7 to 0.8", 1, 1),
        BandAgreement(0.8, "0.8 to 0.9", 0, 0),
        BandAgreement(0.9, "0.9 and more", 0, 0),
    )
    assert read_batch_agreement(queue_url, "none", GivenVerdicts(GIVEN)) is None


def test_answers_by_chunk_and_number(filled: Queue, queue_url: str) -> None:
    chunk = page_of(queue_url, ResultFilter(), {}, "run", 1).rows[0].chunk
    found = read_answers(queue_url, [(chunk, 2), (chunk, 999)])
    assert {key: row.result.smiles for key, row in found.items()} == {(chunk, 2): "C2"}
    assert found[chunk, 2].image_hash == file_hash(2)
    assert replace(found[chunk, 2], image="x.pdf#page=7").image_hash == f"{file_hash(2)}#page=7"


def test_a_queue_of_the_schema_before_shows_its_results_without_reviews(
    filled: Queue, queue_url: str
) -> None:
    def go_back(connection: Connection) -> None:
        drop_pictures(connection)
        connection.execute(text("UPDATE alembic_version SET version_num = '0006'"))

    filled.database.write(go_back)
    assert len(read(queue_url, "", GIVEN)) == 18
    for ask in (
        partial(read, queue_url, "wrong", GIVEN),
        partial(read_batch_agreement, queue_url, "run", GivenVerdicts(GIVEN)),
    ):
        with pytest.raises(QueueError, match="schema 0006 is older than 0007"):
            ask()
