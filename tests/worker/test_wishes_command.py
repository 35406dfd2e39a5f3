"""`wishes`: what an operator sees of what was asked of batches from outside."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sqlalchemy import update

from tests.worker.queue.helpers import add, queue_at
from tests.worker.queue.test_batch_wishes import ask, change, take
from worker.commands.operate import wishes_text
from worker.queue import Queue
from worker.queue.batch_wishes.work import keep_submission, record_fault, report_sources
from worker.queue.hold import hold_fleet
from worker.queue.schema import batch_wishes
from worker.queue.statistics.batch_wishes import AskedOfBatches, find_batch, find_wish, read_asked


def asked(url: str) -> AskedOfBatches:
    found = read_asked(url)
    assert found is not None
    return found


def state(url: str) -> str:
    """Of the only wish."""
    found = asked(url)
    (wish,) = found.wishes
    return found.state_of(wish)


def made(tmp_path: Path) -> tuple[Queue, str]:
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    return queue_at(url), url


def test_what_a_wish_waits_for_is_told(tmp_path: Path) -> None:
    queue, url = made(tmp_path)
    wish = ask(queue, "submit", "new", source="/data/new")
    assert state(url) == "waits: no supervisor that carries out wishes is running"
    queue.database.write(partial(report_sources, host="vm1", prefixes=[]))
    assert state(url) == "waits: no running supervisor has WORKER_SUBMIT_SOURCES set"
    queue.database.write(partial(report_sources, host="vm2", prefixes=["/data"]))
    assert state(url) == "waits for a supervisor's next round"
    held = take(queue, wish, "vm2")
    assert held is not None
    assert state(url) == "being submitted by vm2"
    keep = partial(keep_submission, wish=held, lease_s=60, progress="5 pictures in 1 directories so far")
    queue.database.write(keep)
    assert state(url) == "being submitted by vm2: 5 pictures in 1 directories so far"
    queue.database.write(partial(record_fault, wish=held, fault="the disk is full"))
    assert state(url) == "is tried again after a fault (1 of 5): the disk is full"
    queue.database.write(lambda connection: hold_fleet(connection, ""))
    assert state(url) == "waits: the whole fleet is held"
    queue.close()


def test_the_command_lists_them_and_who_carries_them_out(tmp_path: Path) -> None:
    queue, url = made(tmp_path)
    add(queue, images=2)
    ask(queue, "pause")
    change(queue)
    ask(queue, "submit", "new", source="/data/new")
    told = wishes_text(asked(url))
    assert told[0].startswith("2  submit new from /data/new, asked for by ann ")
    assert told[1].endswith("ago: paused 1 chunk")
    assert told[2] == "no supervisor that carries out wishes is running"
    queue.database.write(partial(report_sources, host="vm1", prefixes=["/data", "azure://scans"]))
    assert wishes_text(asked(url))[2] == "vm1 carries out wishes, and submits below /data, azure://scans"
    old = update(batch_wishes).where(batch_wishes.c.id == 1).values(done_at=batch_wishes.c.done_at - 4000)
    queue.database.write(lambda connection: connection.execute(old))
    assert [wish.id for wish in asked(url).wishes] == [2], "those long at their end are not told of"
    found = find_wish(url, 1)
    assert found is not None
    assert found[1] == "paused 1 chunk"
    batch = find_batch(url, "batch")
    assert batch is not None
    assert (batch.paused, batch.images["pending"]) == (True, 2)
    assert find_batch(url, "none") is None
    queue.close()
