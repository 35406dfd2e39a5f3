"""What operators may do to batches and chunks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.worker.queue.helpers import add, age_batches, answers, claim, complete, let_pass, nothing, row
from worker.queue import DecisionNote, HostReport, LeaseLost, Queue, QueueRefused, QueueTarget, Usage

ALL = QueueTarget(batch="batch")


def test_a_cancelled_chunk_is_lost_to_its_worker(queue: Queue) -> None:
    add(queue, images=6, chunk_images=2)
    done, held = claim(queue), claim(queue)
    complete(queue, done)
    assert queue.cancel(ALL) == 2
    with pytest.raises(LeaseLost):
        queue.store(held, answers(held))
    assert nothing(queue)
    assert row(queue, done.chunk).state == "done"
    assert queue.retry(ALL) == 2
    assert claim(queue)


def test_one_chunk_can_be_meant(queue: Queue) -> None:
    add(queue, images=2, chunk_images=1)
    first = claim(queue).chunk
    assert queue.cancel(QueueTarget(chunk=first)) == 1
    assert queue.outstanding().pending == 1


def test_a_paused_batch_finishes_what_it_began_and_holds_what_is_added(queue: Queue) -> None:
    batch = add(queue, images=4, chunk_images=2)
    held = claim(queue)
    assert queue.pause(ALL) == 2
    queue.add_directories(batch, [("later", ["1.png"])], 2)
    assert nothing(queue)
    queue.store(held, answers(held, [0]))
    queue.release(held, "drained")
    assert nothing(queue)
    left = queue.outstanding()
    assert (left.pending, left.paused, left.active, left.next_in_s) == (0, 3, 0, None)
    assert queue.resume(ALL) == 3
    assert claim(queue).chunk == held.chunk


def test_what_was_cancelled_while_paused_is_not_left_paused(queue: Queue) -> None:
    add(queue, images=2)
    queue.pause(ALL)
    queue.cancel(ALL)
    assert queue.resume(ALL) == 0
    queue.retry(ALL)
    assert claim(queue)


def test_what_is_not_there_is_refused(queue: Queue) -> None:
    add(queue)
    of_chunks = [QueueTarget(chunk=99), QueueTarget(batch="batch", chunk=99), QueueTarget(chunk=99 << 60)]
    for target in (QueueTarget(batch="other"), *of_chunks, QueueTarget()):
        with pytest.raises(QueueRefused, match=r"no batch other|no chunk \d+|name a batch"):
            queue.cancel(target)


def test_what_is_done_is_named_and_not_counted_as_nothing(queue: Queue) -> None:
    add(queue, images=4, chunk_images=2)
    first = claim(queue)
    complete(queue, first)
    one, last = QueueTarget(chunk=first.chunk), claim(queue)
    changes = ((queue.pause, "paused"), (queue.resume, "resumed"), (queue.cancel, "cancelled"))
    for act, done in changes:
        with pytest.raises(QueueRefused, match=f"^chunk {first.chunk} is done: it cannot be {done}$"):
            act(one)
    assert queue.pause(ALL) == 1
    complete(queue, last)
    assert queue.resume(ALL) == 0, "its mark was to be lifted"
    for act, done in changes:
        with pytest.raises(QueueRefused, match=f"^batch batch is done: it cannot be {done}$"):
            act(ALL)
    assert not row(queue, first.chunk).paused
    assert queue.retry(ALL, failed_images=True) == 0


def test_a_batch_without_chunks_is_not_done(queue: Queue) -> None:
    batch = queue.add_batch("batch", "/data")
    assert queue.pause(ALL) == 0
    queue.add_directories(batch, [("d", ["1.png"])], 2)
    assert nothing(queue)
    assert queue.resume(ALL) == 1


def test_retry_of_failed_images_gives_them_another_chance(queue: Queue) -> None:
    add(queue, images=2)
    held = claim(queue)
    good, bad = answers(held)
    queue.store(held, [good, replace(bad, smiles=None, error="TruncatedImage: x")])
    queue.finish(held, Usage(), "file")
    assert queue.retry(ALL) == 0
    assert queue.retry(ALL, failed_images=True) == 1
    again = claim(queue)
    assert [image.number for image in again.images] == [1]
    complete(queue, again)
    assert [found.result.error for found in queue.results()] == [None, None]
    done = row(queue, held.chunk)
    assert (done.images_done, done.images_failed, done.file) == (2, 0, None)


def test_prune_takes_what_is_old_and_at_an_end(queue: Queue) -> None:
    add(queue, "old", 2)
    complete(queue, claim(queue))
    add(queue, "unfinished", 2)
    age_batches(queue, 1000)
    let_pass(queue, 1000)
    add(queue, "young", 2)
    queue.report_host(HostReport("vm1", "local", 1, 0, 1, 1, 1))
    queue.note_decision(DecisionNote("vm1", "spawn", True, "room"))
    assert not any(queue.prune(5000).values())
    gone = {table: count for table, count in queue.prune(500).items() if count}
    assert gone == {"batches": 1, "chunks": 1, "images": 2, "results": 2, "attempts": 1}
    assert list(queue.results()) == []
    assert queue.outstanding().pending == 2


def test_prune_takes_old_notes(queue: Queue) -> None:
    queue.report_host(HostReport("vm1", "local", 1, 0, 1, 1, 1))
    queue.note_decision(DecisionNote("vm1", "spawn", True, "room"))
    queue.add_event("spawned", "w1")
    queue.maintain()
    gone = {table: count for table, count in queue.prune(0).items() if count}
    assert gone == {"hosts": 1, "decisions": 1, "events": 1, "samples": 1}
