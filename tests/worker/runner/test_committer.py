"""Result files of a chunk: partial ones on the way, one at the end, what no longer counts removed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.support import wait_until
from tests.worker.fleet import Fleet
from tests.worker.queue.helpers import add, answers, claim, open_new_queue, row
from worker.queue import Claim, Queue, QueuePolicy
from worker.runner.active_chunks import ActiveChunk, ActiveChunks
from worker.runner.committer import Committer
from worker.runner.host_hold import HostHold
from worker.runner.thumbnails import Thumbnails
from worker.runner.worker_status import WorkerStatusPage
from worker.settings import Settings
from worker.storage.folder import FolderStorage


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "1", "WORKER_UPLOAD_S": "0.5"})
    yield fleet
    fleet.stop()


def files(fleet: Fleet, name: str) -> list[Path]:
    return list(fleet.results.rglob(name))


def test_partial_results_are_uploaded_on_the_way_and_replaced_at_the_end(fleet: Fleet) -> None:
    fleet.add_images("a", [bytes(number + 1) for number in range(30)])
    fleet.enqueue(chunk_images=30)
    supervisor = fleet.start(WORKER_STUB_S="0.15", WORKER_STORE_S="0.2")
    wait_until(lambda: files(fleet, "partial.jsonl"), "a file of partial results")
    [partial] = files(fleet, "partial.jsonl")
    lines = [json.loads(line) for line in partial.read_text().splitlines()]
    assert 0 < len(lines) < 30
    assert files(fleet, "results.jsonl") == []
    assert fleet.wait(supervisor) == 0, fleet.said()
    fleet.check_all_once()
    assert files(fleet, "partial.jsonl") == []


def test_a_result_says_where_it_came_from(fleet: Fleet) -> None:
    fleet.add_images("a", [b"abc"])
    fleet.enqueue()
    assert fleet.wait(fleet.start()) == 0, fleet.said()
    [row] = fleet.check_all_once()
    [line] = files(fleet, "results.jsonl")[0].read_text().splitlines()
    said = json.loads(line)
    assert said["image"] == "a/00000.png"
    assert said["smiles"] == "CCC"
    assert said["confidences"] == [1.0, 1.0, 1.0]
    assert said["sha256"] == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert (said["engine"], said["model"], said["precision"]) == ("stub", "stub", "full")
    assert said["worker"] == row.worker


class OnceWithoutDescriptors(FolderStorage):
    lacks = True

    def put(self, *given: Any) -> str:
        lacked, self.lacks = self.lacks, False
        if lacked:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return super().put(*given)


class WithoutMemory(Queue):
    def store(self, *given: Any) -> Claim:
        raise MemoryError


def commit_one_chunk(queue: Queue, results: FolderStorage, folder: Path) -> int:
    """What was answered of it is brought to the queue; its number."""
    add(queue, images=2, chunk_images=2)
    held = claim(queue)
    page = WorkerStatusPage.create("test")
    thumbnails = Thumbnails(folder)
    with closing(page), closing(thumbnails):
        active, chunk = ActiveChunks(page), ActiveChunk(held, results)
        active.add(chunk)
        for answer in answers(held):
            active.add_result(chunk, answer)
        committer = Committer(queue, results, active, folder, HostHold(1, 1), Settings(), thumbnails)
        committer.start()
        wait_until(lambda: not active.chunks, "the end of the chunk")
        committer.stop()
    return held.chunk


def test_a_result_file_waits_for_descriptors(tmp_path: Path) -> None:
    with closing(open_new_queue(tmp_path / "queue.db", QueuePolicy(attempts=1))) as queue:
        chunk = commit_one_chunk(queue, OnceWithoutDescriptors(tmp_path / "results"), tmp_path)
        assert (row(queue, chunk).state, row(queue, chunk).faults) == ("done", 0)


def test_a_committer_without_memory_charges_no_chunk(tmp_path: Path) -> None:
    with closing(open_new_queue(tmp_path / "queue.db", QueuePolicy(attempts=1))) as queue:
        chunk = commit_one_chunk(
            WithoutMemory(queue.database, queue.policy), FolderStorage(tmp_path / "results"), tmp_path
        )
        assert (row(queue, chunk).state, row(queue, chunk).faults) == ("pending", 0)
