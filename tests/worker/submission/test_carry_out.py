"""What was submitted from outside, by real supervisors: killed in the middle, raced for, refused."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import func, select, update

from tests.services.postgres import Postgres
from tests.services.support import stop_process, wait_until
from tests.worker.fleet import RUN, Fleet, command_line
from tests.worker.queue.test_batch_wishes import ask, told, wish_row
from worker.exit_codes import NOTHING_TO_SUBMIT
from worker.queue import Queue, QueueUnavailable
from worker.queue.batch_wishes.wishes import BatchWish
from worker.queue.batch_wishes.work import (
    TRIES,
    forget_sources,
    read_sources,
    report_sources,
    waiting_submissions,
)
from worker.queue.hold import hold_fleet, lift_hold
from worker.queue.schema import batch_wishes, batches, chunks, hosts, images
from worker.settings import read_settings
from worker.storage import Directory
from worker.storage.folder import FolderStorage
from worker.submission.carry_out import Submitter

STAY = (sys.executable, "-m", "worker", "run")


@pytest.fixture
def fleet(fleet_url: str, tmp_path: Path) -> Iterator[Fleet]:
    (tmp_path / "images").mkdir()
    fleet = Fleet(
        tmp_path,
        fleet_url,
        {
            "WORKER_SUBMIT_SOURCES": str(tmp_path / "images"),
            "WORKER_CHUNK_IMAGES": "20",
            "WORKER_LEASE_S": "60",
            "WORKER_MAX_WORKERS": "1",
            "WORKER_STUB_S": "0",
        },
    )
    yield fleet
    fleet.stop()


@pytest.fixture
def queue(fleet: Fleet) -> Iterator[Queue]:
    queue = fleet.queue()
    yield queue
    queue.close()


def end_of(fleet: Fleet, queue: Queue, wish: BatchWish) -> BatchWish:
    def is_at_its_end() -> bool:
        return wish_row(queue, wish.id).done_at is not None

    try:
        wait_until(is_at_its_end, "the wish's end")
    except AssertionError as error:
        raise AssertionError(f"{error}: {wish_row(queue, wish.id)}\n{fleet.said()}") from None
    return wish_row(queue, wish.id)


def contents(queue: Queue) -> dict[str, int]:
    """How often each picture is in the queue."""
    key = chunks.c.directory + "/" + images.c.name
    query = select(key, func.count()).join(chunks, chunks.c.id == images.c.chunk_id).group_by(key)
    return dict(queue.database.read(lambda connection: connection.execute(query).all()))


def fill(fleet: Fleet, folders: int, pictures: int) -> set[str]:
    keys = set()
    for folder in range(folders):
        (fleet.images / f"d{folder:03}").mkdir(parents=True)
        for number in range(pictures):
            key = f"d{folder:03}/{number:05}.png"
            (fleet.images / key).write_bytes(b"x")
            keys.add(key)
    return keys


def submit(queue: Queue, fleet: Fleet, name: str = "new", below: str = "") -> BatchWish:
    return ask(queue, "submit", name, source=f"{fleet.images}/{below}".rstrip("/"))


def test_what_is_submitted_is_read_and_the_gate_goes_on(fleet: Fleet, queue: Queue) -> None:
    for number in range(3):
        fleet.add_images(f"d{number}", [b"x" * (number + 1)] * 10)
    wish = submit(queue, fleet)
    supervisor = fleet.start(STAY)
    ended = end_of(fleet, queue, wish)
    assert ended.outcome == "30 pictures in 3 chunks", fleet.said()
    assert list(queue.database.read(read_sources).values()) == [(str(fleet.images),)]
    wait_until(lambda: queue.outstanding().pending + queue.outstanding().active == 0, "all read")
    pause = ask(queue, "pause", "new")
    assert end_of(fleet, queue, pause).outcome == "refused: batch new is done: it cannot be paused"
    assert stop_process(supervisor, 60) == 0, fleet.said()
    assert queue.database.read(read_sources) == {}
    rows = fleet.rows()
    assert sorted(row.image for row in rows) == sorted(fleet.contents)
    assert [row.result.error for row in rows] == [None] * 30
    assert fleet.all_pids() == []


def start_child(fleet: Fleet, host: str, *command: str) -> subprocess.Popen[bytes]:
    """As a supervisor starts it, here of this process."""
    options = (f"--parent={os.getpid()}", f"--host={host}")
    return fleet.start((sys.executable, "-m", *(command or ("worker", "carry-out")), *options))


def run_child(fleet: Fleet, host: str = "vm1") -> int:
    return fleet.wait(start_child(fleet, host))


def test_killed_in_the_middle_it_loses_and_doubles_nothing(fleet: Fleet, queue: Queue) -> None:
    keys = fill(fleet, folders=30, pictures=30)
    wish = submit(queue, fleet)
    for number, stuck_after in enumerate((4, 17)):
        before = sum(contents(queue).values())
        child = start_child(fleet, f"vm{number}", "tests.worker.submission.stuck_submitter", str(stuck_after))
        wait_until(lambda before=before: sum(contents(queue).values()) > before, "a piece of the batch")  # type: ignore[misc]
        assert wish_row(queue, wish.id).done_at is None
        child.kill()
        child.wait()
        assert run_child(fleet, "vm9") == NOTHING_TO_SUBMIT, "its lease holds"
        let_lease_end(queue)
    before = sum(contents(queue).values())
    assert 0 < before < len(keys)
    assert run_child(fleet) == 0, fleet.said()
    assert wish_row(queue, wish.id).outcome == f"{len(keys)} pictures in {30 * 2} chunks"
    assert contents(queue) == dict.fromkeys(keys, 1)


def let_lease_end(queue: Queue) -> None:
    ran_out = update(batch_wishes).values(lease_until=0)
    queue.database.write(lambda connection: connection.execute(ran_out))


def test_one_that_leaves_gives_it_back_at_once(fleet: Fleet, queue: Queue) -> None:
    fill(fleet, folders=9, pictures=2)
    wish = submit(queue, fleet)
    child = start_child(fleet, "vm1", "tests.worker.submission.stuck_submitter", "4")
    wait_until(lambda: contents(queue), "a piece of the batch")
    child.terminate()
    child.wait()
    (left,) = queue.database.read(waiting_submissions)
    assert (left.id, left.faults, left.done_at) == (wish.id, 0, None)


def test_two_hosts_race_and_each_wish_is_carried_out_once(fleet: Fleet, queue: Queue) -> None:
    for number in range(6):
        fill_one(fleet, f"s{number}")
    wishes = [submit(queue, fleet, f"batch{number}", f"s{number}") for number in range(6)]
    children = [start_child(fleet, f"vm{number}") for number in range(3)]
    for child in children:
        assert fleet.wait(child) in (0, NOTHING_TO_SUBMIT), fleet.said()
    assert [wish_row(queue, wish.id).outcome for wish in wishes] == ["3 pictures in 1 chunk"] * 6
    assert set(contents(queue).values()) == {6}, "the same names in each of six batches"
    assert [kind for kind, _ in told(queue)].count("submitted") == 6


def fill_one(fleet: Fleet, folder: str) -> None:
    (fleet.images / folder / "d").mkdir(parents=True)
    for number in range(3):
        (fleet.images / folder / f"d/{number}.png").write_bytes(b"x")


def test_what_cannot_be_submitted_is_refused_by_name_and_the_next_goes_on(fleet: Fleet, queue: Queue) -> None:
    fill_one(fleet, "good")
    (fleet.images / "empty").mkdir()
    (fleet.folder / "secret").mkdir()
    (fleet.images / "out").symlink_to(fleet.folder / "secret")
    wishes = {
        below: submit(queue, fleet, f"batch{number}", below)
        for number, below in enumerate(["nowhere", "empty", "out", "../secret", "good/d/0.png", "good"])
    }
    wishes["container"] = ask(queue, "submit", "container", source="azure://scans/x")
    wishes["twice"] = submit(queue, fleet, "batch5", "good")
    assert run_child(fleet) == 0, fleet.said()
    outcomes = {below: wish_row(queue, wish.id).outcome for below, wish in wishes.items()}
    assert outcomes.pop("good") == "3 pictures in 1 chunk"
    for below, words in (
        ("nowhere", "No such file or directory: make it readable for this host's supervisor"),
        ("empty", "no pictures in "),
        ("out", "is not below a source that may be submitted: an operator can add one to"),
        ("../secret", "is not below a source that may be submitted"),
        ("good/d/0.png", "Not a directory: make it readable"),
        ("container", "azure://scans/x is not below a source"),
        ("twice", "there is a batch batch5 already, of 3 pictures in 1 chunk: choose another name"),
    ):
        assert outcomes[below].startswith("refused: "), below
        assert words in outcomes[below], below
    names = queue.database.read(lambda c: c.execute(select(batches.c.name)).scalars().all())
    assert names == ["batch5"], "nothing is left of what was refused"


def test_a_host_leaves_to_another_what_is_the_others(fleet: Fleet, queue: Queue) -> None:
    other = fleet.folder / "other"
    wish = ask(queue, "submit", "new", source=f"{other}/x")
    queue.database.write(partial(report_sources, host="elsewhere", prefixes=[str(other)]))
    assert run_child(fleet) == NOTHING_TO_SUBMIT
    assert wish_row(queue, wish.id).done_at is None
    queue.database.write(partial(forget_sources, host="elsewhere"))
    assert run_child(fleet) == 0
    assert wish_row(queue, wish.id).is_refused


def test_directories_that_cannot_be_listed_are_told(fleet: Fleet, queue: Queue) -> None:
    storage = FolderStorage(fleet.images)
    fill_one(fleet, "good")
    storage.unlisted.append("cannot list bad: Permission denied")
    wish = submit(queue, fleet)
    submitter(fleet, queue, lambda url, settings: storage).run()
    assert wish_row(queue, wish.id).outcome == (
        "3 pictures in 1 chunk; 1 directory could not be listed: cannot list bad: Permission denied"
    )


def submitter(fleet: Fleet, queue: Queue, open_source: Any) -> Submitter:
    settings = read_settings(fleet.environment)
    return Submitter(queue, settings, "vm1", threading.Event(), open_source)


class FullStorage(FolderStorage):
    """After one directory what a full disk of the queue's database raises."""

    def list_directories(self, skip: Any = None) -> Iterator[Directory]:
        yield Directory("good/d", ("0.png", "1.png"))
        raise QueueUnavailable("queue database: database or disk is full")


def test_a_full_disk_is_tried_again_and_told(fleet: Fleet, queue: Queue) -> None:
    wish = submit(queue, fleet)
    full = submitter(fleet, queue, lambda url, settings: FullStorage(fleet.images))
    with pytest.raises(QueueUnavailable):
        full.run()
    left = wish_row(queue, wish.id)
    assert (left.done_at, left.faults, left.lease_until) == (None, 1, 0)
    assert left.progress == "queue database: database or disk is full"
    last = update(batch_wishes).values(faults=TRIES - 1, not_before=0)
    queue.database.write(lambda connection: connection.execute(last))
    with pytest.raises(QueueUnavailable):
        full.run()
    assert wish_row(queue, wish.id).outcome.startswith("refused: queue database: database or disk is full")


def test_without_a_setting_nothing_is_submitted_and_changes_are_made(fleet: Fleet, queue: Queue) -> None:
    fill_one(fleet, "good")
    wish = submit(queue, fleet)
    fleet.environment["WORKER_SUBMIT_SOURCES"] = ""
    supervisor = fleet.start(STAY)
    refused = ask(queue, "pause", "nobody")
    assert end_of(fleet, queue, refused).outcome == "refused: there is no batch nobody"
    assert list(queue.database.read(read_sources).values()) == [()]
    assert stop_process(supervisor, 60) == 0, fleet.said()
    assert wish_row(queue, wish.id).done_at is None


def test_until_empty_waits_for_what_is_submitted_and_a_hold_for_its_end(fleet: Fleet, queue: Queue) -> None:
    fleet.add_images("d", [b"x"] * 5)
    queue.database.write(lambda connection: hold_fleet(connection, ""))
    wish = submit(queue, fleet)
    assert run_child(fleet) == NOTHING_TO_SUBMIT
    queue.database.write(lift_hold)
    assert fleet.wait(fleet.start()) == 0, "a supervisor without the child's command leaves it"
    assert wish_row(queue, wish.id).done_at is None
    assert fleet.wait(fleet.start(RUN)) == 0, fleet.said()
    assert wish_row(queue, wish.id).outcome == "5 pictures in 1 chunk"
    assert len(fleet.rows()) == 5


@pytest.mark.postgres
def test_a_submission_that_is_stuck_stops_no_gate_and_dies_with_its_supervisor(
    tmp_path: Path, postgres: Postgres
) -> None:
    (tmp_path / "images").mkdir()
    environment = {
        "WORKER_SUBMIT_SOURCES": str(tmp_path / "images"),
        "WORKER_MAX_WORKERS": "1",
        "WORKER_DATABASE_PATIENCE_S": "600",  # the child waits for the lock as long as it is held
    }
    fleet = Fleet(tmp_path, postgres.create_database(), environment)
    fill_one(fleet, "good")
    queue = fleet.queue()
    supervisor = fleet.start(STAY)
    try:
        wait_until(lambda: queue.database.read(read_sources), "the supervisor's first round")
        supervisor.send_signal(signal.SIGSTOP)
        wish = submit(queue, fleet, below="good")
        with psycopg.connect(fleet.database_url) as locking:
            locking.execute("LOCK TABLE batch_wishes IN SHARE ROW EXCLUSIVE MODE")  # nobody can take it
            supervisor.send_signal(signal.SIGCONT)
            wait_until(lambda: children_of(fleet), "the child that submits")
            reported_at = seen_at(queue)
            wait_until(lambda: seen_at(queue) > reported_at, "the supervisor's next report")
            assert children_of(fleet), fleet.said()
            supervisor.kill()
            supervisor.wait()
            wait_until(lambda: not children_of(fleet), "the child's end with its supervisor")
        assert wish_row(queue, wish.id).done_at is None
        assert run_child(fleet) == 0
        assert wish_row(queue, wish.id).outcome == "3 pictures in 1 chunk"
    finally:
        fleet.stop()
        queue.close()


def children_of(fleet: Fleet) -> list[int]:
    """Processes of the fleet that submit."""
    return [pid for pid in fleet.all_pids() if b"carry-out" in command_line(pid)]


def seen_at(queue: Queue) -> float:
    query = select(func.coalesce(func.max(hosts.c.seen_at), 0.0))
    return queue.database.read(lambda connection: float(connection.execute(query).scalar_one()))


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_two_hundred_thousand_pictures_and_kills_at_random(fleet: Fleet, queue: Queue) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    keys = fill(fleet, folders=200, pictures=1000)
    wish = submit(queue, fleet)
    fleet.environment["WORKER_CHUNK_IMAGES"] = "500"
    for _ in range(10):
        child = start_child(fleet, "vm1")
        time.sleep(chance.uniform(0.5, 4))
        child.kill()
        child.wait()
        let_lease_end(queue)
    run_child(fleet)
    assert wish_row(queue, wish.id).outcome == "200,000 pictures in 400 chunks"
    assert contents(queue) == dict.fromkeys(keys, 1)
