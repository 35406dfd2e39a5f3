"""What is asked of batches from outside, on both databases: what may be asked; once, in order, audited."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from tests.worker.queue.helpers import WHO, add, claim, complete, row
from worker.queue import Queue, QueueRefused, QueueTarget
from worker.queue.batch_wishes.wishes import BatchWish, add_batch_wish, batch_wish_of, check_batch_wish
from worker.queue.batch_wishes.work import (
    TRIES,
    OpenWishes,
    WishHeld,
    WishLost,
    add_piece,
    begin_submission,
    finish_submission,
    forget_sources,
    keep_submission,
    make_next_change,
    read_open,
    read_sources,
    record_fault,
    release_submission,
    report_sources,
    take_submission,
    waiting_submissions,
)
from worker.queue.hold import hold_fleet, lift_hold
from worker.queue.schema import NO_DEADLINE, batch_wishes, batches, events, submit_sources

SOURCE = {"source": "/data/new"}
LISTING = [("d", ["1.png", "2.png", "3.pdf"])]


def ask(queue: Queue, kind: Any, batch: str = "batch", **details: Any) -> BatchWish:
    """As it lies in the queue."""
    wish = BatchWish(kind, batch, "ann", details)
    number = queue.database.write(lambda connection: add_batch_wish(connection, wish))
    assert number is not None
    return wish_row(queue, number)


def wish_row(queue: Queue, number: int) -> BatchWish:
    query = select(batch_wishes).where(batch_wishes.c.id == number)
    return batch_wish_of(queue.database.read(lambda connection: connection.execute(query).one()))


def change(queue: Queue) -> BatchWish | None:
    return queue.database.write(lambda connection: make_next_change(connection, queue.policy, "vm1"))


def take(queue: Queue, wish: BatchWish, host: str = "vm1", lease_s: float = 60) -> BatchWish | None:
    return queue.database.write(lambda connection: take_submission(connection, wish, host, lease_s))


def taken(queue: Queue, wish: BatchWish) -> BatchWish:
    found = take(queue, wish)
    assert found is not None
    return found


def begin(queue: Queue, wish: BatchWish) -> Any:
    return queue.database.write(lambda connection: begin_submission(connection, wish, wish.source, 60))


def add_all(queue: Queue, wish: BatchWish, batch: Any, listing: Any = LISTING) -> Any:
    return queue.database.write(
        lambda connection: add_piece(connection, queue.policy, wish, batch, listing, 2, 60)
    )


def told(queue: Queue) -> list[tuple[str, str]]:
    query = select(events.c.kind, events.c.message).order_by(events.c.id)
    return [(kind, message) for kind, message in queue.database.read(lambda c: c.execute(query).all())]


@pytest.mark.parametrize(
    ("kind", "batch", "details", "words"),
    [
        ("drop", "a", {}, "there is no wish 'drop'"),
        ("submit", "", SOURCE, "printable characters"),
        ("submit", "../a", SOURCE, "up to 100 letters"),
        ("submit", "a b", SOURCE, "up to 100 letters"),
        ("submit", "a" * 101, SOURCE, "up to 100 letters"),
        ("pause", "a\0b", {}, "printable characters"),
        ("pause", "a\ud800", {}, "printable characters"),
        ("submit", "a", {}, "needs its source"),
        ("submit", "a", {"source": "/data\n/etc"}, "source: up to 1000 printable"),
        ("submit", "a", {"source": ["/data"]}, "source: up to 1000 printable"),
        ("submit", "a", {"source": "/" * 1001}, "source: up to 1000 printable"),
        ("submit", "a", SOURCE | {"priority": 4}, "priority: 1, 2 or 3"),
        ("submit", "a", SOURCE | {"priority": True}, "priority: 1, 2 or 3"),
        ("submit", "a", SOURCE | {"deadline": -1}, "deadline: seconds from now"),
        ("submit", "a", SOURCE | {"deadline": float("nan")}, "deadline: seconds from now"),
        ("submit", "a", SOURCE | {"deadline": "tomorrow"}, "deadline: seconds from now"),
        ("submit", "a", SOURCE | {"deadline": "2020-01-01T00:00Z"}, "is in the past"),
        ("submit", "a", SOURCE | {"batch_id": 1}, "has no 'batch_id'"),
        ("pause", "a", {"now": True}, "has no 'now'"),
        ("retry", "a", {"failed_images": 1}, "true or false"),
        ("deadline", "a", {}, "needs its deadline"),
    ],
)
def test_what_no_wish_may_be_is_refused_by_name(kind: Any, batch: str, details: Any, words: str) -> None:
    with pytest.raises(QueueRefused, match=words):
        check_batch_wish(BatchWish(kind, batch, "ann", details, asked_at=time.time()))


def test_a_deadline_is_counted_from_the_asking_or_a_time() -> None:
    def due(deadline: object) -> float | None:
        wish = BatchWish("submit", "a", "ann", SOURCE | {"deadline": deadline}, asked_at=1000)
        check_batch_wish(wish)
        return wish.deadline

    assert due(3600) == 4600
    assert due("2026-11-23T08:00Z") == due("2026-11-23T08:00") == due("2026-11-23T10:00+02:00") == 1795420800
    assert due(None) is None


def test_a_key_asks_once_for_each_asker(queue: Queue) -> None:
    def ask_with(key: str, who: str) -> int | None:
        wish = BatchWish("pause", "batch", who, {}, key)
        return queue.database.write(lambda connection: add_batch_wish(connection, wish))

    assert ask_with("k1", "ann") == 1
    assert ask_with("k1", "ann") is None
    assert ask_with("k1", "bob") is not None
    assert ask_with("k2", "ann") is not None
    assert [kind for kind, _ in told(queue)] == ["batch_wish"] * 3
    assert told(queue)[0][1] == "ann asks: pause batch (wish 1)"


def test_changes_are_made_in_order_with_the_name_of_who_asked(queue: Queue) -> None:
    add(queue, images=4, chunk_images=2)
    chunk = claim(queue).chunk
    for kind, details in (
        ("pause", {}), ("resume", {}), ("deadline", {"deadline": 7200}), ("cancel", {}), ("retry", {}),
        ("deadline", {"deadline": None}),
    ):  # fmt: skip
        ask(queue, kind, **details)
    done = [made for _ in range(6) if (made := change(queue)) is not None]
    assert [(made.kind, made.outcome) for made in done] == [
        ("pause", "paused 2 chunks"),
        ("resume", "resumed 2 chunks"),
        ("deadline", "changed for 2 chunks"),
        ("cancel", "cancelled 2 chunks"),
        ("retry", "put back 2 chunks"),
        ("deadline", "changed for 2 chunks"),
    ]
    assert change(queue) is None
    assert row(queue, chunk).due == NO_DEADLINE
    messages = told(queue)
    assert ("wish_done", "cancel batch, asked for by ann (wish 4): cancelled 2 chunks") in messages
    (own,) = [message for kind, message in messages if kind == "cancel"]
    assert own.startswith("batch batch: 2 chunks, by ann (wish 4) on ")


def test_a_deadline_that_was_missed_is_open_again(queue: Queue) -> None:
    add(queue, images=2, deadline=time.time() - 5)
    queue.maintain()
    chunk = claim(queue).chunk
    assert row(queue, chunk).missed
    wish = ask(queue, "deadline", deadline=7200)
    change(queue)
    assert not row(queue, chunk).missed
    assert row(queue, chunk).due == pytest.approx(wish.asked_at + 7200, abs=0.01)


def test_what_cannot_be_is_refused_and_the_next_goes_on(queue: Queue) -> None:
    ask(queue, "pause", "nobody")
    add(queue, images=2)
    bad = {"kind": "erase", "batch": "batch", "details": [1], "asked_by": "eve", "asked_at": 0}
    queue.database.write(lambda connection: connection.execute(insert(batch_wishes).values(**bad)))
    ask(queue, "pause")
    outcomes = [made.outcome for _ in range(3) if (made := change(queue)) is not None]
    assert outcomes == [
        "refused: there is no batch nobody",
        "refused: there is no wish 'erase'; there are submit, pause, resume, cancel, retry, deadline",
        "paused 1 chunk",
    ]


def test_a_batch_that_is_done_refuses_all_but_its_retry(queue: Queue) -> None:
    add(queue, images=2)
    complete(queue, claim(queue))
    for kind, details in (("pause", {}), ("cancel", {}), ("deadline", {"deadline": 60}), ("retry", {})):
        ask(queue, kind, **details)
    outcomes = [made.outcome for _ in range(4) if (made := change(queue)) is not None]
    done = [f"refused: batch batch is done: it cannot be {what}" for what in ("paused", "cancelled")]
    assert outcomes == [
        *done,
        "refused: batch batch is done: it cannot be given a deadline",
        "put back 0 chunks",
    ]


def test_a_submission_that_is_overtaken_by_its_workers_can_be_paused_and_cancelled(queue: Queue) -> None:
    wish = taken(queue, ask(queue, "submit", "new", **SOURCE))
    add_all(queue, wish, begin(queue, wish))
    while (held := queue.claim(**WHO)) is not None:
        complete(queue, held)
    ask(queue, "pause", "new")
    ask(queue, "cancel", "new")
    outcomes = [made.outcome for _ in range(2) if (made := change(queue)) is not None]
    assert outcomes == ["paused 0 chunks", "cancelled 0 chunks and the rest of its submission"]


def test_a_deadline_after_no_time_is_refused(queue: Queue) -> None:
    """PostgreSQL has NaN for who may write the row; from SQLite infinity comes back."""
    no_time = math.nan if queue.database.url.get_backend_name() == "postgresql" else math.inf
    row = {"kind": "deadline", "batch": "batch", "details": {"deadline": 60}, "asked_by": "eve"}
    write = queue.database.write
    write(lambda connection: connection.execute(insert(batch_wishes).values(**row, asked_at=no_time)))
    made = change(queue)
    assert made is not None
    assert made.outcome == "refused: it was asked for at no time"


def test_a_submission_is_taken_by_one_of_many(queue: Queue) -> None:
    wish = ask(queue, "submit", "new", **SOURCE)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda host: take(queue, wish, host), ["a", "b", "c", "d"]))
    assert sum(one is not None for one in found) == 1
    assert queue.database.read(read_open) == OpenWishes(0, 0)


def test_a_submission_that_dies_is_taken_over_and_loses_and_doubles_nothing(queue: Queue) -> None:
    wish = ask(queue, "submit", "new", **SOURCE, priority=3, deadline=7200)
    first = taken(queue, wish)
    batch = begin(queue, first)
    assert (batch.priority, batch.deadline) == (3, pytest.approx(wish.asked_at + 7200, abs=0.01))
    add_all(queue, first, batch)
    ran_out = update(batch_wishes).values(lease_until=0)
    queue.database.write(lambda connection: connection.execute(ran_out))
    second = taken(queue, wish)
    assert second.token == first.token + 1
    for late in (
        partial(add_all, queue, first, batch, [("e", ["9.png"])]),
        partial(begin, queue, first),
        lambda: queue.database.write(lambda connection: keep_submission(connection, first, 60)),
    ):
        with pytest.raises(WishLost):
            late()
    again = begin(queue, second)
    assert again.id == batch.id
    added = add_all(queue, second, again, [*LISTING, ("e", ["4.png"])])
    assert (added.chunks, added.images) == (1, 1)
    outcome = queue.database.write(
        lambda connection: finish_submission(connection, second, again, "; a note", "vm2")
    )
    assert outcome == "at least 4 pictures in 3 chunks; a note"
    assert told(queue)[-1] == (
        "submitted",
        f"submit new, asked for by ann (wish 1): {outcome}",
    )
    assert wish_row(queue, 1).done_at is not None
    assert take(queue, wish) is None


def test_a_name_that_is_taken_is_refused_with_what_there_is(queue: Queue) -> None:
    add(queue, "new", images=3, chunk_images=2)
    first = taken(queue, ask(queue, "submit", "new", **SOURCE))
    with pytest.raises(QueueRefused, match="there is a batch new already, of 3 pictures in 2 chunks"):
        begin(queue, first)


def test_a_cancel_ends_the_submission_too(queue: Queue) -> None:
    first = taken(queue, ask(queue, "submit", "new", **SOURCE))
    batch = begin(queue, first)
    add_all(queue, first, batch)
    ask(queue, "cancel", "new")
    made = change(queue)
    assert made is not None
    assert made.outcome == "cancelled 2 chunks and the rest of its submission"
    with pytest.raises(WishLost):
        add_all(queue, first, batch, [("e", ["4.png"])])
    assert wish_row(queue, 1).outcome == "stopped: ann (wish 2) cancelled it"
    ask(queue, "submit", "later", **SOURCE)
    ask(queue, "cancel", "later")
    made = change(queue)
    assert made is not None
    assert made.outcome == "cancelled before it was submitted"
    assert queue.database.read(waiting_submissions) == []


def test_while_the_fleet_is_held_submissions_wait_and_changes_are_made(queue: Queue) -> None:
    first = taken(queue, ask(queue, "submit", "new", **SOURCE))
    batch = begin(queue, first)
    queue.database.write(lambda connection: hold_fleet(connection, ""))
    with pytest.raises(WishHeld):
        add_all(queue, first, batch)
    with pytest.raises(WishHeld):
        begin(queue, first)
    queue.database.write(partial(release_submission, wish=first))
    assert queue.database.read(waiting_submissions) == []
    ask(queue, "pause", "new")
    assert change(queue) is not None
    assert queue.database.read(read_open) == OpenWishes(0, 0)
    queue.database.write(lift_hold)
    (waits,) = queue.database.read(waiting_submissions)
    add_all(queue, taken(queue, waits), batch)
    assert queue.outstanding().paused == 2, "paused while it was submitted"


def test_a_submission_with_faults_is_tried_again_and_refused_in_the_end(queue: Queue) -> None:
    wish = ask(queue, "submit", "new", **SOURCE)
    for tried in range(TRIES):
        held = taken(queue, wish)
        if tried == 0:
            add_all(queue, held, begin(queue, held))
        queue.database.write(partial(record_fault, wish=held, fault="the disk is full"))
        left = wish_row(queue, wish.id)
        assert left.is_refused == (tried == TRIES - 1)
        assert take(queue, wish) is None, "it waits"
        soon = update(batch_wishes).values(not_before=0)
        queue.database.write(lambda connection, soon=soon: connection.execute(soon))
    assert left.outcome == (
        "refused: the disk is full (5 tries); at least 3 pictures in 2 chunks are in the queue: "
        "cancel the batch, or `worker enqueue` adds the rest"
    )


def test_sources_are_told_while_their_host_is_there(queue: Queue) -> None:
    queue.database.write(partial(report_sources, host="a", prefixes=["/data"]))
    queue.database.write(partial(report_sources, host="b", prefixes=[]))
    queue.database.write(partial(report_sources, host="b", prefixes=["azure://c/p"]))
    assert queue.database.read(read_sources) == {"a": ("/data",), "b": ("azure://c/p",)}
    queue.database.write(partial(forget_sources, host="a"))
    assert list(queue.database.read(read_sources)) == ["b"]
    silent = update(submit_sources).values(seen_at=submit_sources.c.seen_at - 60)
    queue.database.write(lambda connection: connection.execute(silent))
    assert queue.database.read(read_sources) == {}


def test_old_wishes_are_pruned_and_open_ones_stay(queue: Queue) -> None:
    add(queue, images=2)
    ask(queue, "pause")
    change(queue)
    ask(queue, "submit", "new", **SOURCE)
    aged = update(batch_wishes).values(done_at=batch_wishes.c.done_at - 100)
    queue.database.write(lambda connection: connection.execute(aged))
    assert queue.prune(50)["batch_wishes"] == 1
    assert [one.batch for one in queue.database.read(waiting_submissions)] == ["new"]
    assert queue.database.read(lambda c: c.execute(select(batches.c.name)).scalars().all()) == ["batch"]
    assert queue.pause(QueueTarget("batch")) == 0
