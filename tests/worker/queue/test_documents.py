"""A file of several pages: whoever claims it adds them, once."""

from __future__ import annotations

import pytest

from tests.worker.queue.helpers import answers, claim, let_pass
from worker.queue import Claim, LeaseLost, Queue, QueuedImage, Usage
from worker.queue.statistics.outcome import finished_text
from worker.queue.statistics.queue import read_figures


@pytest.fixture
def held(queue: Queue) -> Claim:
    names = ["a.pdf", "a.pdf#page=2", "b.png"]
    queue.add_directories(queue.add_batch("batch", "/data"), [("d", names)], 10)
    return claim(queue)


def test_pages_become_images_of_the_chunk(queue: Queue, queue_url: str, held: Claim) -> None:
    assert read_figures(queue_url).documents == 1
    pages = queue.add_pages(held, held.images[0], 3)
    assert pages == (QueuedImage(3, "a.pdf", page=2), QueuedImage(4, "a.pdf", page=3))
    assert queue.add_pages(held, held.images[0], 3) == pages, "as after a broken connection"
    assert read_figures(queue_url).images["active"] == 5
    whole = held.with_pages(pages)
    assert [whole.key(image) for image in whole.images[-2:]] == ["d/a.pdf", "d/a.pdf"]
    queue.finish(queue.store(whole, answers(whole)), Usage())
    shown = ["d/a.pdf#page=1", "d/a.pdf#page=2#page=1", "d/b.png", "d/a.pdf#page=2", "d/a.pdf#page=3"]
    assert [row.image for row in queue.results()] == shown
    figures = read_figures(queue_url, latest=5)
    assert figures.documents == 0
    assert sorted(row.image for row in figures.latest) == sorted(shown)


def test_who_claims_it_next_finds_its_pages(queue: Queue, held: Claim) -> None:
    pages = queue.add_pages(held, held.images[0], 2)
    queue.release(queue.store(held.with_pages(pages), answers(held, [0])), "drained")
    again = claim(queue)
    assert again.images_total == 4
    assert again.images == (
        QueuedImage(1, "a.pdf#page=2"),
        QueuedImage(2, "b.png"),
        QueuedImage(3, "a.pdf", page=2),
    )


def test_who_lost_the_chunk_adds_nothing(queue: Queue, queue_url: str, held: Claim) -> None:
    let_pass(queue, 3600)
    with pytest.raises(LeaseLost):
        queue.add_pages(held, held.images[0], 2)
    assert sum(read_figures(queue_url).images.values()) == 3


def test_enqueued_again_a_file_with_pages_is_no_new_one(queue: Queue, held: Claim) -> None:
    queue.add_pages(held, held.images[0], 4)
    batch = queue.add_batch("batch", "/data")
    assert queue.add_directories(batch, [("d", ["a.pdf", "b.png"])], 10).images == 0


def test_a_storage_key_of_what_was_read_is_that_of_the_file(queue: Queue, held: Claim) -> None:
    pages = queue.add_pages(held, held.images[0], 2)
    queue.store(held.with_pages(pages), answers(held, [0]))
    assert queue.readable_image(held) == "d/a.pdf"


def test_totals_say_at_least_until_files_were_looked_into() -> None:
    assert finished_text(3, 1, {}, at_least=True) == "1 of at least 3 images finished: 1 recognised"
    assert finished_text(3, 3, {}) == "3 of 3 images finished: 3 recognised"
