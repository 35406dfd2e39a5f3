"""A supervisor hears through the queue that its machine is to end, drains, and says that it is empty."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.services.support import wait_until
from tests.worker.fleet import Fleet
from worker.queue.machines.lease import MachineBook
from worker.queue.machines.machines import MachineRow, MachineState, add_machine, change_machine

RUN = (sys.executable, "-m", "worker", "run")


def test_a_machine_that_is_told_to_leave_drains_and_says_that_it_is_empty(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, environment={"WORKER_HOST_NAME": "m-1", "WORKER_STUB_S": "0.2"})
    fleet.add_images("d", [bytes(1000 + number) for number in range(200)])
    fleet.enqueue(chunk_images=50)
    queue = fleet.queue()
    book = MachineBook(queue.database)
    assert book.take_lease("test", 600)
    book.write(
        lambda connection: add_machine(
            connection, MachineRow("m-1", "g", "local", "small", MachineState.RUNNING, 0)
        )
    )
    process = fleet.start(RUN)
    try:
        wait_until(lambda: queue.outstanding().active > 0, "a chunk is worked on")
        wait_until(lambda: "m-1" in book.view().hosts, "the host's first report")
        assert not book.view().hosts["m-1"].leaving
        book.write(
            lambda connection: change_machine(
                connection, "m-1", "not needed", state=MachineState.DRAINING, leave_at=1.0
            )
        )
        assert fleet.wait(process) == 0
        word = book.view().hosts["m-1"]
        assert (word.leaving, word.workers) == (True, 0)
        left = queue.outstanding()
        assert left.active == 0
        assert left.pending > 0
    finally:
        fleet.stop()
        queue.close()


def test_a_machine_without_work_and_without_a_manager_ends_itself(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path)
    fleet.queue().close()
    process = fleet.start((*RUN, "--leave-idle", "2"))
    try:
        assert fleet.wait(process) == 0
        assert fleet.has_said("no work for")
        assert fleet.has_said("no machine manager")
    finally:
        fleet.stop()
