"""What the threads of a worker share: nothing is lost between them, and fields are written in one way."""

from __future__ import annotations

import ast
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import worker.runner
from worker.queue import Claim, Lease, QueuedImage, Result
from worker.runner.active_chunks import ActiveChunk, ActiveChunks
from worker.runner.worker_status import WorkerStatusPage
from worker.storage.folder import FolderStorage

IMAGES = 400


@pytest.fixture
def chunk(tmp_path: Path) -> ActiveChunk:
    images = tuple(QueuedImage(number, f"{number}.png") for number in range(IMAGES))
    claim = Claim(7, 1, "b/d#0", "b", str(tmp_path), "d", 1, 2, None, IMAGES, images, Lease(0))
    return ActiveChunk(claim, FolderStorage(tmp_path))


@pytest.fixture
def page() -> Iterator[WorkerStatusPage]:
    page = WorkerStatusPage.create("test")
    yield page
    page.close()


def test_results_of_several_threads_are_stored_once_each(chunk: ActiveChunk, page: WorkerStatusPage) -> None:
    """One takes them all the while, and puts every second portion back."""
    active = ActiveChunks(page)
    active.set_state("working")
    active.add(chunk)
    stored: list[int] = []

    def recognise(first: int) -> None:
        for number in range(first, IMAGES, 2):
            active.start_image(chunk, number)
            active.add_result(chunk, Result(number, "C"))

    threads = [threading.Thread(target=recognise, args=(first,)) for first in (0, 1)]
    for thread in threads:
        thread.start()
    turns = 0
    while len(stored) < IMAGES:
        results = chunk.take_results()
        turns += 1
        if turns % 2:
            chunk.put_back(results)
        else:
            stored += [result.number for result in results]
    for thread in threads:
        thread.join()
    assert sorted(stored) == list(range(IMAGES))
    assert chunk.complete
    assert chunk.in_flight == frozenset()
    assert chunk.results_since_s is None
    assert page.read().chunks[0].in_flight == ()


def test_a_lost_chunk_keeps_no_results_and_the_first_reason_stays(chunk: ActiveChunk) -> None:
    chunk.set_fault("the first")
    chunk.set_fault("the second")
    assert (chunk.fault, chunk.over) == ("the first", True)
    chunk.add_result(Result(0, "C"), cpu_s=0.5)
    chunk.set_lost()
    chunk.add_result(Result(1, "C"), cpu_s=0.25)
    assert [result.number for result in chunk.take_results()] == [0]
    assert (chunk.unanswered, chunk.usage().cpu_s) == (IMAGES - 2, 0.75)


def test_no_other_module_writes_a_field(chunk: ActiveChunk) -> None:
    """The threads of a worker live in several modules; each write takes the chunk's lock."""
    fields = set(vars(chunk))
    written = {
        f"{path.name}: {ast.unparse(node)}"
        for path in Path(worker.runner.__path__[0]).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr in fields
        if ast.unparse(node.value) != "self"
    }
    assert written == set()
