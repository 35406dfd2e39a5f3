"""Order of claims, leases, tokens."""

from __future__ import annotations

import time

import pytest

from tests.worker.queue.helpers import LEASE_S, add, answers, claim, complete, let_pass, nothing, row
from worker.queue import LeaseLost, Queue, QueueRefused, QueueTarget, StatedNeed, Usage


def test_highest_priority_then_nearest_deadline_then_oldest(queue: Queue) -> None:
    far = time.time() + 500_000
    add(queue, "low", 1, priority=1)
    add(queue, "old", 1, priority=2)
    add(queue, "young", 1, priority=2)
    add(queue, "later", 1, priority=2, deadline=far + 1000)
    add(queue, "sooner", 1, priority=2, deadline=far)
    add(queue, "high", 1, priority=3)
    order = [claim(queue).batch for _ in range(6)]
    assert order == ["high", "sooner", "later", "old", "young", "low"]
    assert nothing(queue)


def test_a_nearing_deadline_raises_the_priority(queue: Queue) -> None:
    add(queue, "urgent-to-be", 1, priority=1, deadline=time.time() + 20_000)
    add(queue, "normal", 2, priority=2, chunk_images=1)
    assert queue.maintain().raised == 0
    assert claim(queue).batch == "normal"
    let_pass(queue, 10_000)  # less than four hours are left
    assert queue.maintain().raised == 1
    held = claim(queue)
    assert (held.batch, held.priority) == ("urgent-to-be", 2)


def test_a_claim_carries_what_the_worker_needs(queue: Queue) -> None:
    add(queue, images=5, chunk_images=2)
    held = claim(queue)
    assert (held.batch, held.directory, held.source, held.images_total, held.token) == (
        "batch",
        "d",
        "/data",
        2,
        1,
    )
    assert [held.key(image) for image in held.images] == ["d/i0.png", "d/i1.png"]
    assert held.name == "batch/d#0"
    assert held.deadline is None
    assert LEASE_S - 60 < held.lease.remaining_s() <= LEASE_S


def test_a_chunk_of_another_model_is_left_to_others(queue: Queue) -> None:
    add(queue, "hand-drawn", 1, model="hand")
    assert nothing(queue)
    assert claim(queue, model="hand").batch == "hand-drawn"


def test_no_more_than_the_set_number_is_active(queue: Queue) -> None:
    add(queue, images=4, chunk_images=1)
    first = claim(queue, max_active=2)
    claim(queue, max_active=2)
    assert nothing(queue, max_active=2)
    complete(queue, first)
    assert claim(queue, max_active=2)
    assert queue.active_chunks() == 2


def test_results_are_stored_in_portions_and_the_chunk_is_done_when_all_are_there(queue: Queue) -> None:
    add(queue, images=3, chunk_images=3)
    held = claim(queue)
    queue.store(held, answers(held, [0]))
    with pytest.raises(QueueRefused, match="2 images have no result"):
        queue.finish(held, Usage())
    queue.store(held, answers(held, [1, 2]))
    queue.finish(held, Usage(cpu_s=3, wall_s=4, peak_memory_bytes=5), "batch/1/1/results.jsonl")
    done = row(queue, held.chunk)
    assert (done.state, done.images_done, done.images_failed, done.file) == (
        "done",
        3,
        0,
        "batch/1/1/results.jsonl",
    )
    assert (done.cpu_s, done.wall_s, done.peak_memory_bytes) == (3, 4, 5)
    queue.finish(held, Usage())  # the same call again, as after a lost answer
    assert nothing(queue)


def test_an_image_keeps_its_first_result(queue: Queue) -> None:
    add(queue, images=1)
    held = claim(queue)
    queue.store(held, answers(held))
    queue.store(held, [answers(held)[0].__class__(0, "other")])
    assert [stored.result.smiles for stored in queue.stored(held)] == ["C0"]
    assert row(queue, held.chunk).images_done == 1


def test_who_lost_the_lease_can_write_nothing(queue: Queue) -> None:
    add(queue, images=2)
    held = claim(queue)
    let_pass(queue, LEASE_S + 1)
    for attempt in (
        lambda: queue.renew(held),
        lambda: queue.store(held, answers(held)),
        lambda: queue.finish(held, Usage()),
    ):
        with pytest.raises(LeaseLost, match=r"batch/d#0.*token 1"):
            attempt()
    assert queue.maintain().expired == 1
    taken = claim(queue, worker="w2")
    assert (taken.chunk, taken.token) == (held.chunk, 2)
    queue.release(held, "too late")  # gives back nothing that is not its own
    queue.fail(held, "too late")
    queue.store(taken, answers(taken))
    with pytest.raises(LeaseLost):
        queue.store(held, answers(held))
    with pytest.raises(LeaseLost):
        queue.finish(held, Usage())
    queue.finish(taken, Usage())
    assert {stored.worker for stored in queue.results()} == {"w2"}


def test_renewing_and_storing_keep_the_lease(queue: Queue) -> None:
    add(queue, images=2)
    held = claim(queue)
    for _ in range(3):
        let_pass(queue, LEASE_S * 2 / 3)
        held = queue.renew(held)
        let_pass(queue, LEASE_S * 2 / 3)
        held = queue.store(held, [])
    assert queue.maintain().expired == 0
    assert LEASE_S - 60 < held.lease.remaining_s() <= LEASE_S
    complete(queue, held)


def test_a_released_chunk_is_claimed_at_once_without_what_is_done(queue: Queue) -> None:
    add(queue, images=3, chunk_images=3)
    held = claim(queue)
    queue.store(held, answers(held, [1]))
    queue.release(held, "drained", Usage(cpu_s=1))
    again = claim(queue)
    assert [image.number for image in again.images] == [0, 2]
    assert row(queue, held.chunk).faults == 0
    complete(queue, again, cpu_s=2)
    assert row(queue, held.chunk).cpu_s == 3


def test_faults_in_a_row_wait_longer_each_and_end_in_the_dead_letter(queue: Queue) -> None:
    add(queue, images=2)
    for fault, longest_s in ((1, 10), (2, 20)):
        held = claim(queue)
        failed_s = time.monotonic()
        assert not queue.fail(held, "StorageError: unreachable"), "not given up yet"
        assert nothing(queue)
        next_in_s = queue.outstanding().next_in_s
        assert longest_s / 2 - (time.monotonic() - failed_s) <= next_in_s <= longest_s
        assert row(queue, held.chunk).faults == fault
        let_pass(queue, longest_s)
    assert queue.fail(claim(queue), "StorageError: unreachable"), "given up"
    failed = row(queue, held.chunk)
    assert (failed.state, failed.error) == ("failed", "StorageError: unreachable")
    assert failed.ended_at is not None
    assert queue.retry(QueueTarget(batch="batch")) == 1
    complete(queue, claim(queue))


def test_progress_ends_the_row_of_faults(queue: Queue) -> None:
    add(queue, images=8, chunk_images=8)
    for number in range(6):
        held = claim(queue)
        queue.store(held, answers(held, [number]))
        queue.fail(held, "x")
        assert row(queue, held.chunk).faults == 1
        let_pass(queue, 100)


def test_leases_that_run_out_without_progress_are_faults(queue: Queue) -> None:
    add(queue, images=1)
    for attempt in (1, 2, 3):
        held = claim(queue)
        let_pass(queue, LEASE_S + 1)
        maintained = queue.maintain()
        assert (maintained.expired, maintained.given_up) == (1, int(attempt == 3))
    assert row(queue, held.chunk).state == "failed"


def test_a_deadline_is_missed_once(queue: Queue) -> None:
    add(queue, "late", 2, chunk_images=1, deadline=time.time() + 100)
    add(queue, "never", 1)
    first = claim(queue)
    assert queue.maintain().missed == 0
    complete(queue, first)
    let_pass(queue, 200)
    assert queue.maintain().missed == 1
    assert queue.maintain().missed == 0
    assert not row(queue, first.chunk).missed
    last = claim(queue)
    complete(queue, last)
    assert row(queue, last.chunk).missed


def test_a_deadline_that_is_moved_is_open_again(queue: Queue) -> None:
    add(queue, "late", 2, chunk_images=1, priority=1, deadline=time.time() + 100)
    for _ in range(3):  # the first chunk into the dead letter
        queue.fail(claim(queue), "StorageError: x")
        let_pass(queue, 50)
    assert queue.maintain().missed == 2
    queue.add_batch("late", "/data", deadline=time.time() + 20_000)
    assert [row(queue, chunk).missed for chunk in (1, 2)] == [False, False]
    assert [row(queue, chunk).effective_priority for chunk in (1, 2)] == [1, 1]
    let_pass(queue, 17_000)
    assert queue.retry(QueueTarget(batch="late")) == 1
    assert queue.maintain().raised == 2


def test_a_chunk_done_after_its_deadline_is_missed_without_tending(queue: Queue) -> None:
    add(queue, images=1, deadline=time.time() + 10)
    held = claim(queue)
    let_pass(queue, 15)
    complete(queue, held)
    assert row(queue, held.chunk).missed


def test_a_worker_takes_no_chunk_that_needs_more_than_it_has_room_for(queue: Queue) -> None:
    add(queue, "large", images=2, need=StatedNeed(8_000, 2), priority=3)
    add(queue, "plain", images=2)
    assert claim(queue, room=StatedNeed(7_999, 4)).batch == "plain", "the larger one is passed over"
    assert nothing(queue, room=StatedNeed(8_000, 1.9))
    stated = queue.outstanding().stated
    assert stated == ((StatedNeed(8_000, 2), 1),)
    assert claim(queue, room=StatedNeed(8_000, 2)).batch == "large"
    assert queue.outstanding().stated == ()


def test_a_need_that_is_stated_later_holds_for_all_chunks_that_are_left(queue: Queue) -> None:
    add(queue, "b", images=4)
    complete(queue, claim(queue))
    batch = queue.add_batch("b", "/data", need=StatedNeed(cpus=3))
    assert batch.need == StatedNeed(None, 3)
    assert nothing(queue, room=StatedNeed(None, 2))
    assert claim(queue, room=StatedNeed(100, 3)).batch == "b"
