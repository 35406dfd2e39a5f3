"""Workers and supervisors that are asked to leave: in time, with what they have, and no failure recorded."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.support import in_time, wait_until
from tests.worker.fleet import Fleet
from worker.supervisor.outbox import FLUSH_S, GONE_S, last_words_s
from worker.supervisor.supervisor import LOGS_KEPT

SLOW_S = 30  # what an image of that order takes


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1", "WORKER_DRAIN_S": "2"})
    fleet.add_images("a", [*(bytes(number + 1) for number in range(6)), b"slow"])
    fleet.add_images("b", [bytes(number + 1) for number in range(30)])
    fleet.enqueue()
    yield fleet
    fleet.stop()


def is_in_slow_image(fleet: Fleet) -> bool:
    """All before it are stored, so that only it is in the recogniser or waits behind it."""
    return len(fleet.rows()) >= 3 and fleet.has_said("claimed")


def test_sigterm_stores_what_is_there_and_gives_back_what_hangs(fleet: Fleet) -> None:
    supervisor = fleet.start(WORKER_STORE_S="0.1")
    wait_until(lambda: is_in_slow_image(fleet), "some results")
    time.sleep(0.5)
    before, start_s = len(fleet.rows()), time.monotonic()
    supervisor.send_signal(signal.SIGTERM)
    assert fleet.wait(supervisor) == 0, fleet.said()
    assert in_time(time.monotonic() - start_s, SLOW_S / 2)
    assert len(fleet.rows()) >= before
    assert fleet.all_pids() == []
    queue = fleet.queue()
    outstanding = queue.outstanding()
    queue.close()
    assert (outstanding.active, outstanding.next_in_s) == (0, 0), "given back, without a backoff"
    for key, content in fleet.contents.items():
        if content == b"slow":
            fleet.contents[key] = bytes(4)
            (fleet.images / key).write_bytes(bytes(4))
    assert fleet.wait(fleet.start()) == 0
    fleet.check_all_once()


def test_a_worker_that_is_asked_by_a_stranger_leaves_and_is_replaced(fleet: Fleet) -> None:
    (fleet.images / "a/00006.png").write_bytes(bytes(4))
    fleet.contents["a/00006.png"] = bytes(4)
    fleet.logs.mkdir(parents=True)
    for number in range(2 * LOGS_KEPT):
        (fleet.logs / f"old-{number}.log").touch()
        os.utime(fleet.logs / f"old-{number}.log", (number, number))
    supervisor = fleet.start(WORKER_STUB_S="0.3")
    wait_until(lambda: fleet.has_said("claimed") and fleet.worker_pids(), "a worker at work")
    os.kill(fleet.worker_pids()[0], signal.SIGTERM)
    assert fleet.wait(supervisor) == 0, fleet.said()
    fleet.check_all_once()
    assert len(list(fleet.logs.iterdir())) <= LOGS_KEPT + 1, "names are new with each start"
    assert fleet.has_said("left in order: asked to by a signal")


def test_a_queue_that_does_not_answer_does_not_keep_a_supervisor() -> None:
    """Its workers may take 23 s; service managers and batch systems wait 30 s."""
    assert last_words_s(0) == FLUSH_S
    assert [took_s + last_words_s(took_s) for took_s in (20.0, 23.0)] == [GONE_S, GONE_S]
    assert last_words_s(40) == 0
