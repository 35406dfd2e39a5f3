"""What no index tells is searched for: the same results in the same order as one query of the whole batch
gives, on both databases, page by page and part by part.
"""

from __future__ import annotations

import random

import pytest
from sqlalchemy import Connection

from worker.answers.notes import Note
from worker.queue import Queue, Result
from worker.queue.schema import batch_id_of
from worker.review import (
    FAILED,
    NO_MOLECULE,
    NOTED,
    TRUNCATED,
    After,
    ResultFilter,
    Span,
    read_result_page,
    read_results_of,
)
from worker.review.export import chosen_rows
from worker.review.search import SEARCHED_MAX, TRIED

CHUNK, FOLDERS, COUNT = 50, 2, TRIED + 300
PAGE = 40
CUT, ODD = Note("truncated", "no end"), Note("unparsable", "ring bond 1 is not closed")


@pytest.fixture
def filled(queue: Queue) -> Queue:
    """Two batches whose chunks take turns: one result in 100 failed, one in 90 is odd, one in 80 cut; one in
    four contains an oxygen, one in 500 lead.
    """
    names = [f"{number:05}.png" for number in range(COUNT)]
    half = COUNT // FOLDERS
    for part in range(FOLDERS):
        for name in ("other", "run"):
            batch = queue.add_batch(name, "/data")
            queue.add_directories(batch, [(f"Folder_{part}", names[part * half : (part + 1) * half])], CHUNK)
    while held := queue.claim("w", "h", "stub", "stub"):
        queue.store(held, [result_of(int(image.name[-9:-4]), image.number) for image in held.images])
    return queue


def result_of(name: int, number: int) -> Result:
    if name % 100 == 0:
        return Result(number, None, error=f"{'Blank' if name % 200 else 'Empty'}Image: grey")
    smiles = "CC" + "O" * (name % 4 == 0) + "[Pb]" * (name % 500 == 7)
    notes = (CUT,) * (name % 80 == 0) + (ODD,) * (name % 90 == 0)
    least = random.Random(name).randrange(20) / 20  # many are as sure as each other
    return Result(number, smiles, ("C", "O"), (1.0, least), CUT in notes, notes=notes)


CHOICES = [
    ResultFilter(text="cco"),
    ResultFilter(text="[PB]"),
    ResultFilter(text="0012"),
    ResultFilter(text="older_1"),
    ResultFilter(text="nowhere"),
    ResultFilter(text="[Pb]", below=0.7, folder="Folder_1"),
    ResultFilter(text="png", folder="Folder_0"),
    ResultFilter(note="unparsable", text="O"),
    ResultFilter(note="inverted"),
    ResultFilter(show=NO_MOLECULE),
    ResultFilter(show=TRUNCATED),
    ResultFilter(show=NOTED, below=0.5),
    ResultFilter(show=FAILED, text="00.p"),
    ResultFilter(show=FAILED, error="EmptyImage"),
]
Key = tuple[int, int]


def all_of(queue: Queue, chosen: ResultFilter) -> list[Key]:
    """By one query, as no page may take the time for."""

    def read(connection: Connection) -> list[Key]:
        found = connection.execute(chosen.keys(batch_id_of(connection, "run"), None, 10 * COUNT))
        return [(chunk, number) for _, chunk, number in found]

    return queue.database.read(read)


def walk(
    url: str, chosen: ResultFilter, count: int, searched_max: int = SEARCHED_MAX
) -> tuple[list[Key], list[Span | None]]:
    """From the first page on by what begins the next: all that is shown, and what was searched each time."""
    shown: list[Key] = []
    searched: list[Span | None] = []
    after: After | None = None
    while True:
        page = read_results_of(url, "run", chosen, after, count, searched_max=searched_max)
        assert page is not None
        rows, after, span = page
        assert len(rows) <= count
        shown += [(row.chunk, row.result.number) for row in rows]
        searched.append(span)
        if after is None:
            return shown, searched


def test_what_is_searched_for_is_what_one_query_finds(filled: Queue, queue_url: str) -> None:
    counts = []
    for chosen in CHOICES:
        whole = all_of(filled, chosen)
        shown, searched = walk(queue_url, chosen, PAGE)
        assert shown == whole, chosen
        assert {span is not None and span.is_last for span in searched} == {True}
        counts.append(len(whole))
    assert counts[:5] == [325 - 13, 3, 11, 650 - 6, 0]


def test_exports_have_all_pages_joined(filled: Queue, queue_url: str) -> None:
    for chosen in CHOICES:
        rows = chosen_rows(filled.database, "run", chosen)
        assert [(row.chunk, row.result.number) for row in rows] == all_of(filled, chosen), chosen
    sure = ResultFilter(text="png", at_least=0.5, below=0.75)
    found = [row.result.least_confidence for row in chosen_rows(filled.database, "run", sure)]
    assert {round(least or 0, 2) for least in found} == {0.5, 0.55, 0.6, 0.65, 0.7}


def test_what_an_index_tells_is_not_searched_for(filled: Queue, queue_url: str) -> None:
    for chosen in (ResultFilter(), ResultFilter(below=0.1, folder="Folder_1"), ResultFilter(show=FAILED)):
        shown, searched = walk(queue_url, chosen, 400)
        assert shown == all_of(filled, chosen)
        assert set(searched) == {None}


@pytest.mark.parametrize("chosen", [CHOICES[0], CHOICES[2], CHOICES[4], CHOICES[12]], ids=str)
def test_a_large_batch_is_searched_in_parts(filled: Queue, queue_url: str, chosen: ResultFilter) -> None:
    """Each of whole chunks, one after the other, and within each the least sure first."""
    shown, searched = walk(queue_url, chosen, PAGE, searched_max=300)
    assert sorted(shown) == sorted(all_of(filled, chosen))
    parts = list(dict.fromkeys(span for span in searched if span is not None))
    assert [(span.before, span.looked_at, span.total) for span in parts] == [
        (0, 300, COUNT), (300, 300, COUNT), (600, 300, COUNT), (900, 300, COUNT), (1200, 100, COUNT),
    ]  # fmt: skip
    order = {key: at for at, key in enumerate(all_of(filled, chosen))}
    in_parts = [[key for key in shown if span.since < key[0] <= span.until] for span in parts]
    assert shown == [key for part in in_parts for key in sorted(part, key=order.__getitem__)]


@pytest.mark.parametrize("searched_max", [SEARCHED_MAX, 300])
def test_a_result_found_by_a_search_knows_its_neighbours(
    filled: Queue, queue_url: str, searched_max: int
) -> None:
    chosen, before = ResultFilter(text="07."), 1
    shown, _ = walk(queue_url, chosen, PAGE, searched_max)
    assert len(shown) == 13
    _, parts = walk(queue_url, ResultFilter(text="nowhere"), PAGE, searched_max)

    def part(key: Key) -> Span | None:
        return next(span for span in parts if span is not None and key[0] <= span.until)

    for key in shown:
        page = read_result_page(queue_url, *key, chosen, before, searched_max=searched_max)
        assert page is not None
        same = [other for other in shown if part(other) == part(key)]
        here = same.index(key)
        assert page.previous == (same[here - 1] if here else None)
        assert page.following == (same[here + 1] if here + 1 < len(same) else None)
        listed = read_results_of(queue_url, "run", chosen, page.list_after, PAGE, searched_max=searched_max)
        assert listed is not None
        assert [(row.chunk, row.result.number) for row in listed[0]].index(key) <= before
