"""What the queue is told of a worker that is gone: also of chunks that it had not told its supervisor of."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.worker.queue.helpers import add, claim, let_pass, queue_at, row
from worker.queue import QueuePolicy
from worker.runner.worker_status import ChunkStatus, WorkerStatus, WorkerStatusPage, explain_exit
from worker.supervisor.exits import ExitHandler
from worker.supervisor.outbox import Outbox
from worker.supervisor.processes import WorkerProcess


class AtOnce(Outbox):
    def send(self, call: Callable[[], None], urgent: bool = False) -> None:
        call()


def test_only_the_chunk_in_hand_is_charged_and_all_are_free(tmp_path: Path) -> None:
    queue = queue_at(f"sqlite:///{tmp_path}/queue.db")
    add(queue, images=3, chunk_images=1)
    in_hand, ahead, untold = (claim(queue, worker="w1") for _ in range(3))
    told = (
        ChunkStatus(in_hand.chunk, in_hand.token, in_hand.name, 0, 1, (0,)),
        ChunkStatus(ahead.chunk, ahead.token, ahead.name, 0, 1),
    )
    page = WorkerStatusPage.create("w1")
    worker = WorkerProcess("w1", subprocess.Popen(["true"]), page, tmp_path / "w1.log", time.monotonic())
    worker.process.wait()
    status = WorkerStatus("working", images_done=1, chunks=told)
    ExitHandler(queue, AtOnce(queue, "stub"), "host").handle(worker, status, explain_exit(1, 0, None))
    page.close()
    rows = [row(queue, one.chunk) for one in (in_hand, ahead, untold)]
    assert [(one.state, one.faults) for one in rows] == [("pending", 0)] * 3
    assert [claim(queue, worker="w2").images[0].quarantined for _ in rows] == [True, False, False]
    queue.close()


def test_a_chunk_that_a_crash_was_the_last_fault_of_is_counted(tmp_path: Path) -> None:
    queue = queue_at(f"sqlite:///{tmp_path}/queue.db", QueuePolicy(attempts=2))
    add(queue, images=1)
    outbox = AtOnce(queue, "stub")
    handler = ExitHandler(queue, outbox, "host")
    counts = []
    for _ in range(2):
        held = claim(queue, worker="w1")
        page = WorkerStatusPage.create("w1")
        worker = WorkerProcess("w1", subprocess.Popen(["true"]), page, tmp_path / "w1.log", time.monotonic())
        worker.process.wait()
        told = (ChunkStatus(held.chunk, held.token, held.name, 0, 1),)
        handler.handle(worker, WorkerStatus("working", images_done=1, chunks=told), explain_exit(1, 0, None))
        page.close()
        let_pass(queue, 1000)
        counts.append(outbox.given_up)
    assert counts == [0, 1]
    assert row(queue, held.chunk).state == "failed"
    queue.close()
