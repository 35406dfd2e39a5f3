"""What the queue is told of a worker that is gone: also of chunks that it had not told its supervisor of."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.worker.queue.helpers import add, claim, row
from worker.queue import open_queue
from worker.runner.exit_status import explain_exit
from worker.runner.worker_status import ChunkStatus, WorkerStatus, WorkerStatusPage
from worker.supervisor.exits import ExitHandler
from worker.supervisor.outbox import Outbox
from worker.supervisor.processes import WorkerProcess


class AtOnce(Outbox):
    def send(self, call: Callable[[], None], urgent: bool = False) -> None:
        call()


def test_only_the_chunk_in_hand_is_charged_and_all_are_free(tmp_path: Path) -> None:
    queue = open_queue(f"sqlite:///{tmp_path}/queue.db")
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
