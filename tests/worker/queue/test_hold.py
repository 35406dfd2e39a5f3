"""The hold over the whole fleet: what honours it, and what it leaves as it was."""

from __future__ import annotations

import pytest

from tests.worker.queue.helpers import add, answers, claim, nothing
from worker.queue import Queue, QueueRefused, QueueTarget
from worker.queue.hold import FleetHold, hold_fleet, lift_hold, read_hold
from worker.queue.machines.machines import read_work


def hold(queue: Queue, reason: str = "") -> bool:
    return queue.database.write(lambda connection: hold_fleet(connection, reason))


def lift(queue: Queue) -> bool:
    return queue.database.write(lift_hold)


def test_while_the_fleet_is_held_nothing_is_claimed_added_or_scaled_up(queue: Queue) -> None:
    add(queue, images=6, chunk_images=2)
    held = claim(queue)
    assert hold(queue, "disk full")
    assert nothing(queue)
    queue.store(held, answers(held, [0]))  # what was begun goes on
    left = queue.outstanding()
    assert (left.pending, left.paused, left.active, left.next_in_s) == (0, 2, 1, None)
    with pytest.raises(QueueRefused, match=r"batch more: the whole fleet is held by .*\(disk full\)"):
        queue.add_batch("more", "file:///more")
    (work,) = queue.database.read(read_work)
    assert work.images == 1, "only what is worked on"
    assert lift(queue)
    assert queue.outstanding().pending == 2
    assert claim(queue)


def test_lifting_it_leaves_what_was_paused_by_name(queue: Queue) -> None:
    add(queue, images=2)
    queue.pause(QueueTarget("batch"))
    hold(queue)
    assert lift(queue)
    assert nothing(queue)
    assert queue.outstanding().paused == 1
    assert not lift(queue)


def test_the_first_who_holds_it_is_the_one_that_is_named(queue: Queue) -> None:
    assert hold(queue, "first")
    assert not hold(queue, "second")
    found = queue.database.read(read_hold)
    assert isinstance(found, FleetHold)
    assert found.reason == "first"
    assert found.text.endswith("(first); `worker resume --all` lifts it")
