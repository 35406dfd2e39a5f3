"""The status page: the last whole word is always there, also after a SIGKILL in the middle of one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from worker.runner.worker_status import PAGE_BYTES, ChunkStatus, WorkerStatus, WorkerStatusPage

WRITER = """
import itertools, sys
from worker.runner.worker_status import ChunkStatus, WorkerStatus, WorkerStatusPage
page = WorkerStatusPage(int(sys.argv[1]))
for number in itertools.count(1):
    chunk = ChunkStatus(number, number, "x" * (number % 999), 0, 1)
    page.write(WorkerStatus("working", images_done=number, chunks=(chunk,)))
"""


@pytest.fixture
def page() -> WorkerStatusPage:
    return WorkerStatusPage.create("test")


def test_a_worker_that_said_nothing_is_loading(page: WorkerStatusPage) -> None:
    assert page.read() == WorkerStatus(state="loading")


def test_the_other_side_reads_what_was_written_last(page: WorkerStatusPage) -> None:
    other = WorkerStatusPage(os.dup(page.descriptor))
    first = WorkerStatus("working", 1.5, 2.5, 3, 4, 5, 6, 7, "a", "b", (ChunkStatus(1, 2, "ä", 3, 4),))
    page.write(replace(first, held_reason="/tmp/\udcff"))
    assert other.read() == replace(first, held_reason="/tmp/?")
    for number in range(5):
        page.write(replace(first, images_done=number))
        assert other.read() == replace(first, images_done=number)


def test_images_in_flight_are_found_with_their_chunk(page: WorkerStatusPage) -> None:
    chunks = (ChunkStatus(7, 1, "a", 0, 9), ChunkStatus(2**39, 2, "b", 0, 9))
    page.write(WorkerStatus("working", chunks=chunks))
    for slot, (chunk, number) in enumerate([(7, 0), (2**39, 99_999), (7, 5), (8, 1)]):
        page.set_in_flight(slot, chunk, number)
    assert [chunk.in_flight for chunk in page.read().chunks] == [(0, 5), (99_999,)]
    page.clear_in_flight(0)
    assert [chunk.in_flight for chunk in page.read().chunks] == [(5,), (99_999,)]


def test_a_torn_half_is_passed_over(page: WorkerStatusPage) -> None:
    page.write(WorkerStatus(images_done=1))
    page.write(WorkerStatus(images_done=2))
    os.pwrite(page.descriptor, b"torn", 40)  # the second word lies in the first half
    assert page.read().images_done == 1


class Changing(WorkerStatusPage):
    """Each half is being written just when it is looked at for the first time."""

    looks = 0

    def _read_half(self, half: int) -> tuple[int, bytes] | None:
        self.looks += 1
        return super()._read_half(half) if self.looks > 2 else None


def test_who_is_overtaken_by_the_writer_looks_again(page: WorkerStatusPage) -> None:
    page.write(WorkerStatus("working", images_done=1))
    assert Changing(os.dup(page.descriptor)).read().images_done == 1


def test_the_longest_names_of_any_script_fit(page: WorkerStatusPage) -> None:
    chunks = tuple(ChunkStatus(number, 1, "ä" * 1250, 0, 1) for number in range(3))
    page.write(WorkerStatus("working", chunks=chunks))
    assert page.read().chunks == chunks


def test_status_that_do_not_fit_are_refused(page: WorkerStatusPage) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        page.write(WorkerStatus(held_reason="x" * PAGE_BYTES))


def test_readable_whenever_the_writer_is_killed(page: WorkerStatusPage) -> None:
    for _ in range(3):
        command = [sys.executable, "-c", WRITER, str(page.descriptor)]
        writer = subprocess.Popen(command, pass_fds=(page.descriptor,))
        while page.read().images_done < 50:
            assert writer.poll() is None
            time.sleep(0.01)
        seen = [page.read() for _ in range(500)]
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert all(status.chunks[0].chunk == status.images_done for status in (*seen, page.read()))
        page.write(WorkerStatus())
        page.write(WorkerStatus())
        os.pwrite(page.descriptor, bytes(PAGE_BYTES), 0)
