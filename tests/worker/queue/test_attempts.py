"""Quarantine: what a worker's exit says about the images it was on."""

from __future__ import annotations

import pytest

from tests.worker.queue.helpers import (
    LEASE_S,
    add,
    answers,
    claim,
    complete,
    image_rows,
    let_pass,
    nothing,
    row,
)
from worker.queue import LeaseLost, Queue, Usage
from worker.queue.policy import growing_pause_s

KILLED = "SIGSEGV"


def test_pauses_double_up_to_the_most_however_many_faults_there_were() -> None:
    pauses = [growing_pause_s(2, faults, 30) for faults in (0, 1, 2, 3, 5, 6, 5_000)]
    assert pauses == [2, 2, 4, 8, 30, 30, 30]
    assert growing_pause_s(2, 5_000) > growing_pause_s(2, 40) > 10**12


def test_a_crash_frees_the_chunk_at_once_and_its_images_in_flight_come_first(queue: Queue) -> None:
    add(queue, images=5, chunk_images=5)
    held = claim(queue)
    queue.store(held, answers(held, [0]))
    queue.crash(held.chunk, held.token, [0, 2, 3], KILLED)
    with pytest.raises(LeaseLost):
        queue.renew(held)
    again = claim(queue)
    assert [(image.number, image.quarantined) for image in again.images] == [
        (2, True), (3, True), (1, False), (4, False),
    ]  # fmt: skip
    assert row(queue, held.chunk).faults == 0
    complete(queue, again)


def test_what_a_dead_worker_never_told_of_is_free_at_once_too(queue: Queue) -> None:
    add(queue, images=2, chunk_images=1)
    told, untold = claim(queue, worker="dead"), claim(queue, worker="dead")
    queue.crash(told.chunk, told.token, [0], KILLED)
    again = claim(queue, worker="alive")
    queue.free("dead", KILLED)
    assert (again.chunk, row(queue, told.chunk).state) == (told.chunk, "active")
    freed = row(queue, untold.chunk)
    assert (freed.state, freed.faults, freed.error) == ("pending", 0, KILLED)
    assert not any(image.quarantined for image in claim(queue).images)


def test_an_image_that_kills_its_worker_twice_alone_gets_the_crash_as_its_result(queue: Queue) -> None:
    add(queue, images=3, chunk_images=3)
    held = claim(queue)
    queue.crash(held.chunk, held.token, [0, 1], KILLED)
    for _ in range(2):
        held = claim(queue)
        assert held.images[0].quarantined
        queue.crash(held.chunk, held.token, [0], KILLED)
    last = claim(queue)
    assert [(image.number, image.quarantined) for image in last.images] == [(1, True), (2, False)]
    complete(queue, last)
    stored = {found.result.number: found.result for found in queue.results()}
    assert stored[0].error == "WorkerCrash: SIGSEGV"
    assert stored[0].smiles is None
    assert [stored[number].smiles for number in (1, 2)] == ["C1", "C2"]
    done = row(queue, last.chunk)
    assert (done.state, done.images_done, done.images_failed) == ("done", 3, 1)


def test_a_chunk_whose_last_image_was_given_up_is_claimed_once_more_to_be_finished(queue: Queue) -> None:
    add(queue, images=1)
    for _ in range(3):
        held = claim(queue)
        queue.crash(held.chunk, held.token, [0], KILLED)
    held = claim(queue)
    assert held.images == ()
    queue.finish(held, Usage())
    assert row(queue, held.chunk).state == "done"


def test_an_image_in_flight_alone_is_not_counted_before_it_is_quarantined(queue: Queue) -> None:
    add(queue, images=1)
    held = claim(queue)
    queue.crash(held.chunk, held.token, [0], KILLED)
    assert image_rows(queue, held.chunk)[0].crashes == 0


def test_an_operators_kill_is_nobodys_failure(queue: Queue) -> None:
    add(queue, images=2)
    for _ in range(10):
        held = claim(queue)
        queue.crash(held.chunk, held.token, [0], "SIGKILL", is_cause=False)
        held = claim(queue)
        queue.crash(held.chunk, held.token, [], "SIGKILL", is_cause=False)
    assert row(queue, held.chunk).faults == 0
    assert image_rows(queue, held.chunk)[0].crashes == 0
    complete(queue, claim(queue))
    assert [found.result.error for found in queue.results()] == [None, None]


def test_a_crash_with_nothing_in_flight_is_a_fault_of_the_chunk(queue: Queue) -> None:
    add(queue, images=2)
    for _ in range(3):
        held = claim(queue)
        queue.crash(held.chunk, held.token, [], KILLED)
        assert nothing(queue)
        let_pass(queue, 1000)
    assert row(queue, held.chunk).state == "failed"


def test_a_crash_reported_late_charges_nothing_and_takes_nothing_from_the_new_holder(queue: Queue) -> None:
    add(queue, images=2)
    late = claim(queue)
    let_pass(queue, LEASE_S + 1)
    queue.maintain()
    held = claim(queue, worker="w2")
    for _ in range(3):
        queue.crash(late.chunk, late.token, [1], KILLED)
    assert [(image.quarantined, image.crashes) for image in image_rows(queue, late.chunk)] == [
        (False, 0),
        (True, 0),
    ]
    complete(queue, held)


def test_a_crash_reported_twice_counts_once(queue: Queue) -> None:
    add(queue, images=1)
    held = claim(queue)
    queue.crash(held.chunk, held.token, [0], KILLED)
    held = claim(queue)
    queue.crash(held.chunk, held.token, [0], KILLED)
    queue.crash(held.chunk, held.token, [0], KILLED)
    assert image_rows(queue, held.chunk)[0].crashes == 1
