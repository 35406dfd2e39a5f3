"""A batch's page of results: which, in what order, and how one page follows the other."""

from __future__ import annotations

import pytest

from tests.worker.queue.helpers import claim
from worker.answers.notes import Note
from worker.queue import Queue, Result, Usage
from worker.review import (
    FAILED,
    NO_MOLECULE,
    NOTED,
    TRUNCATED,
    After,
    BatchPage,
    Folders,
    ResultFilter,
    read_batch_page,
    read_result_page,
)

# Name, SMILES, least confidence, notes, error
GIVEN = (
    ("a_100%.png", "CCO", 0.9, (), None),
    ("b_1.png", "C[Pb]", 0.25, (Note("lead_for_phenyl", "1 x [Pb]"),), None),
    ("c.png", None, None, (), "BlankImage: grey"),
    ("d.png", "CCN", 0.25, (Note("truncated", "no end"),), None),
    ("e.png", None, None, (), "TruncatedImage: ends at byte 7"),
    ("F.png", "c1ccccc", 0.5, (Note("unparsable", "ring bond 1 is not closed"),), None),
)


@pytest.fixture
def filled(queue: Queue) -> Queue:
    """Two batches with the same pictures, in folders of their own."""
    for name in ("run", "other"):
        batch = queue.add_batch(name, "/data")
        queue.add_directories(batch, [(f"of_{name}", [given[0] for given in GIVEN])], 4)
    for _ in range(4):
        held = claim(queue)
        by_name = {given[0]: given for given in GIVEN}
        made = []
        for image in held.images:
            _, smiles, least, notes, error = by_name[image.name.rpartition("/")[2]]
            confidences = () if least is None else (1.0, least)
            tokens = () if least is None else ("C", "O")
            is_cut = any(note.name == "truncated" for note in notes)
            made.append(Result(image.number, smiles, tokens, confidences, is_cut, error, notes=notes))
        queue.store(held, made)
        queue.finish(held, Usage(cpu_s=2.0, wall_s=3.0, peak_memory_bytes=5_000_000))
    return queue


def read(
    url: str, chosen: ResultFilter, after: After | None = None, count: int = 60, name: str = "run"
) -> BatchPage:
    found = read_batch_page(url, name, chosen, after, count)
    assert found is not None
    return found


def names(page: BatchPage) -> list[str]:
    assert all(row.batch == page.batch.name for row in page.rows)
    return [row.image.rpartition("/")[2] for row in page.rows]


LEAST_FIRST = ["b_1.png", "d.png", "F.png", "a_100%.png"]


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [
        (ResultFilter(), LEAST_FIRST),
        (ResultFilter(below=0.5), ["b_1.png", "d.png"]),
        (ResultFilter(show=NOTED), ["b_1.png", "d.png", "F.png"]),
        (ResultFilter(note="lead_for_phenyl"), ["b_1.png"]),
        (ResultFilter(show=TRUNCATED), ["d.png"]),
        (ResultFilter(show=FAILED), ["c.png", "e.png"]),
        (ResultFilter(show=FAILED, error="TruncatedImage"), ["e.png"]),
        (ResultFilter(show=NO_MOLECULE), ["F.png"]),
        (ResultFilter(folder="of_run", below=0.5), ["b_1.png", "d.png"]),
        (ResultFilter(folder="of_other"), []),
        (ResultFilter(folder=""), []),
        (ResultFilter(show=FAILED, folder="of_run", text="c.p"), ["c.png"]),
        (ResultFilter(text="f.P"), ["F.png"]),
        (ResultFilter(text="0%"), ["a_100%.png"]),
        (ResultFilter(text="_1."), ["b_1.png"]),
        (ResultFilter(text="[pb]"), ["b_1.png"]),
        (ResultFilter(text="OF_RUN"), LEAST_FIRST),
        (ResultFilter(text="of_other"), []),
        (ResultFilter(show=FAILED, text="e.p"), ["e.png"]),
    ],
)
def test_results_are_chosen(filled: Queue, queue_url: str, chosen: ResultFilter, shown: list[str]) -> None:
    assert names(read(queue_url, chosen)) == shown


@pytest.mark.parametrize("chosen", [ResultFilter(), ResultFilter(show=FAILED), ResultFilter(text="png")])
@pytest.mark.parametrize("count", [1, 3])
def test_pages_follow_each_other_without_gap_or_repetition(
    filled: Queue, queue_url: str, chosen: ResultFilter, count: int
) -> None:
    whole, shown, after = names(read(queue_url, chosen)), [], None
    while True:
        page = read(queue_url, chosen, after, count)
        shown += names(page)
        assert len(page.rows) <= count
        if (after := page.after) is None:
            break
    assert shown == whole


def test_the_history_of_a_batch(filled: Queue, queue_url: str) -> None:
    page = read(queue_url, ResultFilter())
    assert (page.history.attempts, page.history.wall_s, page.history.peak_memory_bytes) == (2, 6.0, 5_000_000)
    assert page.history.with_error == 2
    first, ended = page.history.first_claimed_at, page.batch.ended_at
    assert first is not None
    assert ended is not None
    assert page.batch.created_at <= first <= ended <= page.at
    assert (page.batch.images["done"], page.batch.images["failed"], page.batch.doubtful) == (4, 2, 3)
    assert page.batch.cpu_s == 4.0


def test_there_is_no_page_of_a_batch_that_is_not_there(filled: Queue, queue_url: str) -> None:
    assert read_batch_page(queue_url, "run'--", ResultFilter(), None, 10) is None


@pytest.mark.parametrize(
    "chosen", [ResultFilter(), ResultFilter(show=FAILED), ResultFilter(folder="of_run", text="PNG")]
)
def test_a_result_knows_its_neighbours_in_the_list(
    filled: Queue, queue_url: str, chosen: ResultFilter
) -> None:
    keys = [(row.chunk, row.result.number) for row in read(queue_url, chosen).rows]
    for place, key in enumerate(keys):
        found = read_result_page(queue_url, *key, chosen, 1)
        assert found is not None
        assert (found.row.batch, found.row.chunk, found.row.result.number) == ("run", *key)
        assert found.previous == (keys[place - 1] if place else None)
        assert found.following == (keys[place + 1] if place + 1 < len(keys) else None)
        rest = read(queue_url, chosen, found.list_after)
        shown = [(row.chunk, row.result.number) for row in rest.rows]
        assert shown == keys[max(0, place - 1) :]


def test_the_folders_of_a_batch(filled: Queue, queue_url: str) -> None:
    assert read(queue_url, ResultFilter()).folders == Folders((("of_run", 6),), 1)


@pytest.mark.parametrize("key", [(1, 99), (99, 0), (0, 0), (-1, 0), (2**70, 0), (1, 2**70)])
def test_there_is_no_result_that_is_not_there(filled: Queue, queue_url: str, key: tuple[int, int]) -> None:
    assert read_result_page(queue_url, *key, ResultFilter(), 1) is None
