"""Results by how sure they are: which, and in what order."""

from __future__ import annotations

import pytest

from tests.worker.queue.helpers import add, claim
from worker.answers.notes import Note
from worker.queue import Queue, QueueRefused, Result, ResultChoice, Usage
from worker.queue.chosen import read_chosen

# By batch: least confidences of its images; None: an error
LEAST = {"a": (0.9, 0.5, None, 0.5), "b": (0.25, 0.75, 1.0)}


@pytest.fixture
def filled(queue: Queue) -> Queue:
    for name, values in LEAST.items():
        add(queue, name, images=len(values), chunk_images=2)
    for _ in range(4):
        held = claim(queue)
        least = LEAST[held.batch]
        before = 2 * int(held.name.rpartition("#")[2])
        queue.finish(
            queue.store(held, [answer(image.number, least[before + image.number]) for image in held.images]),
            Usage(),
        )
    return queue


def answer(number: int, least: float | None) -> Result:
    if least is None:
        return Result(number, None, error="BlankImage: one colour all over")
    notes = (Note("lead_for_phenyl", "1 x [Pb]"), Note("truncated", 'no "end" \u20ac'))
    return Result(number, "CO", ("C", "O"), (1.0, least), notes=notes if least == 0.25 else ())


def read(
    queue: Queue, choice: ResultChoice, batch: str | None = None, page: int = 1_000
) -> list[tuple[str, float | None]]:
    rows = read_chosen(queue.database, batch, choice, page)
    return [(row.batch, least and round(least, 6)) for row in rows for least in [row.result.least_confidence]]


@pytest.mark.parametrize("page", [1, 2, 1_000])
def test_the_least_sure_come_first_and_errors_last(filled: Queue, page: int) -> None:
    sure_last = [("b", 0.25), ("a", 0.5), ("a", 0.5), ("b", 0.75), ("a", 0.9), ("b", 1.0), ("a", None)]
    assert read(filled, ResultChoice(least_first=True), None, page) == sure_last
    assert read(filled, ResultChoice(least_first=True), "a", page) == [
        ("a", 0.5),
        ("a", 0.5),
        ("a", 0.9),
        ("a", None),
    ]
    assert read(filled, ResultChoice(0.5, 0.875, least_first=True), None, page) == sure_last[1:4]


def test_some_of_them_in_the_order_of_chunks(filled: Queue) -> None:
    assert read(filled, ResultChoice()) == [
        (batch, least) for batch, all_of in LEAST.items() for least in all_of
    ]
    assert read(filled, ResultChoice(at_least=0.5)) == [
        ("a", 0.9), ("a", 0.5), ("a", 0.5), ("b", 0.75), ("b", 1.0),
    ]  # fmt: skip
    assert read(filled, ResultChoice(below=0.5)) == [("b", 0.25)]


def test_notes_come_back_as_they_were_stored(filled: Queue) -> None:
    [row] = filled.chosen_results("b", ResultChoice(below=0.5))
    assert row.result.notes == answer(0, 0.25).notes


def test_a_batch_that_is_not_there_is_said(filled: Queue) -> None:
    with pytest.raises(QueueRefused, match="no batch c"):
        list(filled.chosen_results("c", ResultChoice(least_first=True)))
