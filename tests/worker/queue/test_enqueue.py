"""Batches and directories: idempotent, incremental, together."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from secrets import token_hex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.queue.helpers import add, answers, claim, nothing, queue_at, row
from worker.errors import WorkerError
from worker.listing import enqueue
from worker.queue import Added, Queue, QueueRefused
from worker.queue.enqueue import split
from worker.storage import Directory


def test_adding_again_adds_what_is_new(queue: Queue) -> None:
    batch = queue.add_batch("b", "/data")
    first = queue.add_directories(batch, [("d", ["1.png", "2.png", "3.png"]), ("e/f", ["1.png"])], 2)
    assert first == Added(chunks=3, images=4)
    again = [("d", ["0.png", "1.png", "2.png", "3.png", "4.png"]), ("e/f", ["1.png"]), ("", ["top.png"])]
    assert queue.add_directories(batch, again, 2) == Added(chunks=2, images=3)
    assert queue.add_directories(batch, again, 2) == Added(0, 0)
    keys = []
    for _ in range(5):
        held = claim(queue)
        keys += [held.key(image) for image in held.images]
    assert nothing(queue)
    assert sorted(keys) == ["d/0.png", "d/1.png", "d/2.png", "d/3.png", "d/4.png", "e/f/1.png", "top.png"]


def test_a_batch_keeps_its_source(queue: Queue) -> None:
    queue.add_batch("b", "/data")
    with pytest.raises(QueueRefused, match="batch b is of /data, not /other"):
        queue.add_batch("b", "/other")


def test_what_is_given_again_changes_the_batch_and_what_it_has_left(queue: Queue) -> None:
    add(queue, "b", 3, chunk_images=1)
    done = claim(queue)
    queue.store(done, answers(done))
    deadline = time.time() + 10_000
    batch = queue.add_batch("b", "/data", 1, deadline, None)
    assert (batch.priority, batch.deadline) == (1, deadline)
    held = claim(queue)
    assert (held.deadline, held.priority) == (deadline, 2)  # it nears
    assert row(queue, held.chunk).priority == 1
    assert queue.add_batch("b", "/data").deadline == deadline


def test_two_who_enqueue_the_same_at_once_add_it_once(queue: Queue, queue_url: str) -> None:
    other = queue_at(queue_url)
    listing = [(f"d{number}", [f"{image}.png" for image in range(20)]) for number in range(30)]

    def fill(into: Queue) -> int:
        batch = into.add_batch("b", "/data")
        return sum(
            into.add_directories(batch, listing[start : start + 3], 7).images for start in range(0, 30, 3)
        )

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(fill, (queue, other))) == 600
    other.close()


def test_a_path_too_long_for_the_index_is_named(queue: Queue) -> None:
    batch = queue.add_batch("b", "/data")
    longest, longer = (token_hex(1250 + more) for more in (0, 1))
    add_to_batch = partial(queue.add_directories, batch, chunk_images=5)
    found = enqueue(add_to_batch, [Directory(longest, ("1.png",))], lambda _: None)
    assert found.new_images == 1
    with pytest.raises(WorkerError, match=rf"directory {longer[:60]}.*2502 bytes"):
        enqueue(add_to_batch, [Directory(longer, ("1.png",))], lambda _: None)


def test_names_are_data(queue: Queue) -> None:
    names = ["'; DROP TABLE chunks; --.png", "ä\u202e.png", "%s.png", ":x.png", "a\nb.png", "\U0001f600.png"]
    batch = queue.add_batch("b", "/data")
    queue.add_directories(batch, [("'d'", names)], 10)
    held = claim(queue)
    assert [image.name for image in held.images] == names
    queue.store(held, [found.__class__(found.number, "C\0", error=None) for found in answers(held)])
    assert {found.result.smiles for found in queue.results()} == {"C\ufffd"}


@given(st.lists(st.text(max_size=3), max_size=200), st.integers(1, 60))
def test_a_split_is_whole_ordered_and_even(names: list[str], most: int) -> None:
    parts = split(names, most)
    assert [name for part in parts for name in part] == names
    sizes = {len(part) for part in parts}
    assert all(0 < size <= most for size in sizes)
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert len(parts) == -(-len(names) // most)
