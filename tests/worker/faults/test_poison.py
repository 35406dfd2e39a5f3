"""Images that kill, break or hang their worker: they alone end with an error, all others are done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.support import slowdown
from tests.worker.fleet import Fleet

ORDERS = {
    b"segfault": "WorkerCrash: the worker crashed by SIGSEGV",
    b"exit": "WorkerCrash: the worker exited with code 3",
    b"raise": "WorkerCrash: the worker exited with code 1",
    b"hang": "WorkerCrash: the worker made no progress for",
    b"swell": "WorkerCrash: the worker left: its memory is at",
}
IMPATIENT = {"WORKER_DRAIN_S": "0.5", "WORKER_WORKER_MEMORY_LIMIT_MB": "300"}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    stall_s = str(min(30, 5 * slowdown()))  # what does go on is never so long without progress
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "2", "WORKER_STALL_S": stall_s, **IMPATIENT})
    yield fleet
    fleet.stop()


def test_poisonous_images_end_alone(fleet: Fleet) -> None:
    """One of each kind, some in chunks of their own, some together in one."""
    fleet.add_images("a", [b"x", b"yy", b"segfault", *(bytes(number + 1) for number in range(10))])
    fleet.add_images("b", [b"exit", b"swell", *(bytes(number + 1) for number in range(10))])
    fleet.add_images("c", [bytes(20), b"raise", bytes(30), bytes(40), b"hang", bytes(50)])
    fleet.enqueue()
    assert fleet.wait(fleet.start()) == 0, fleet.said()
    failed = {key: ORDERS[content] for key, content in fleet.contents.items() if content in ORDERS}
    assert len(failed) == len(ORDERS)
    fleet.check_all_once(failed=failed)


def test_a_host_on_which_no_worker_ever_answered_records_no_failure_of_images(fleet: Fleet) -> None:
    """Every image crashes here: this host may be the cause, so it backs off and counts none at once."""
    fleet.add_images("a", [b"segfault"] * 12)
    fleet.enqueue()
    supervisor = fleet.start()
    fleet.wait_until(lambda: fleet.said().count("crashed by SIGSEGV") >= 2, "two crashes")
    assert fleet.rows() == []
    assert fleet.has_said("1 workers died before their first answer")
    assert supervisor.poll() is None
