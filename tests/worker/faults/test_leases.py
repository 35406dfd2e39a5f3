"""Leases: one that was lost while its owner slept, and work that takes longer than one lasts."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.worker.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment={"WORKER_LEASE_S": "2", "WORKER_MAX_WORKERS": "1"})
    yield fleet
    fleet.stop()


def test_what_a_sleeper_did_after_its_lease_was_stolen_does_not_count(fleet: Fleet) -> None:
    fleet.add_images("a", [bytes(number + 1) for number in range(12)])
    fleet.enqueue()
    owner = fleet.start(WORKER_STUB_S="0.3", WORKER_STORE_S="600", WORKER_STORE_IMAGES="1000")
    fleet.wait_until(lambda: fleet.has_said("claimed"), "the first worker holds the chunk")
    [sleeper] = fleet.worker_pids()
    with closing(sqlite3.connect(fleet.folder / "queue.db", timeout=60, isolation_level=None)) as queue:
        queue.execute("BEGIN IMMEDIATE")  # so that the sleeper is in no transaction
        os.kill(sleeper, signal.SIGSTOP)
    thief = fleet.start(WORKER_STUB_S="0.01", WORKER_HOST_NAME="thief")
    assert fleet.wait(thief) == 0, fleet.said()
    assert len(fleet.rows()) == 12
    os.kill(sleeper, signal.SIGCONT)
    assert fleet.wait(owner) == 0, fleet.said()
    rows = fleet.check_all_once()
    assert {row.host for row in rows} == {"thief"}
    assert fleet.has_said("no longer ours")


def test_a_chunk_and_an_image_that_take_longer_than_a_lease_are_done_once(fleet: Fleet) -> None:
    fleet.add_images("a", [b"pause", *(bytes(number + 1) for number in range(10))])
    fleet.enqueue()
    lease_s = "5"  # the image pauses for six; a busy machine may keep a worker from renewing for a while
    first, second = (fleet.start(WORKER_STUB_S="0.2", WORKER_LEASE_S=lease_s) for _ in range(2))
    assert fleet.wait(first) == 0, fleet.said()
    assert fleet.wait(second) == 0, fleet.said()
    rows = fleet.check_all_once()
    assert len({row.worker for row in rows}) == 1
    assert fleet.said().count("claimed, 11 of 11") == 1


def test_a_worker_stopped_in_a_write_transaction_is_ended_without_the_queue(fleet: Fleet) -> None:
    """It holds the queue for everybody; the image it had in hand is not charged with it."""
    fleet.add_images("a", [*(bytes(number + 1) for number in range(5)), b"hold"])
    fleet.enqueue()
    (fleet.folder / "state").mkdir()
    supervisor = fleet.start(WORKER_STALL_S="8")
    assert fleet.wait(supervisor) == 0, fleet.said()
    fleet.check_all_once()
    said = fleet.said()
    assert "was stopped for" in said
    assert re.search(
        r"database is locked, by process \d+ \(\S+ -m tests.worker.faults.faulty_worker", said
    ), said
