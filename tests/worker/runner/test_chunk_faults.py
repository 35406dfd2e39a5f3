"""What is wrong with a chunk, its storage or this host: tried again, no image and nobody else harmed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.support import slowdown, wait_until
from tests.worker.fleet import Fleet
from worker.gate.temporary import lock_file
from worker.queue import QueueTarget
from worker.queue.statistics.queue import read_figures


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    environment = {"WORKER_MAX_WORKERS": "1", "WORKER_ATTEMPTS": "2", "WORKER_BACKOFF_S": "0.1"}
    fleet = Fleet(tmp_path, environment=environment)
    yield fleet
    fleet.stop()


def test_results_that_cannot_be_uploaded_fail_their_chunk_and_retry_mends_it(fleet: Fleet) -> None:
    """A file stands where the results' folder should be; the images are not recognised again afterwards."""
    fleet.add_images("a", [bytes(number + 1) for number in range(5)])
    fleet.enqueue()
    fleet.results.write_text("in the way")
    assert fleet.wait(fleet.start()) == 0, fleet.said()
    queue = fleet.queue()
    assert queue.outstanding().pending == 0
    assert len(list(queue.results())) == 5, "what was recognised is kept"
    stored_at = {row.image: row.stored_at for row in queue.results()}
    fleet.results.unlink()
    assert queue.retry(QueueTarget(batch="batch")) == 1
    queue.close()
    assert fleet.wait(fleet.start()) == 0, fleet.said()
    rows = fleet.check_all_once()
    assert {row.image: row.stored_at for row in rows} == stored_at


def test_a_host_that_cannot_upload_what_others_could_charges_no_chunk(fleet: Fleet) -> None:
    """The results' folder goes away for a while: the host holds back, and nothing is given up."""
    fleet.add_images("a", [bytes(number + 1) for number in range(5)])
    fleet.add_images("b", [bytes(number + 1) for number in range(40)])
    fleet.enqueue(chunk_images=40)
    supervisor = fleet.start(WORKER_STUB_S="0.1", WORKER_ATTEMPTS="1")
    wait_until(lambda: list(fleet.results.rglob("*.jsonl")), "the first chunk's results")
    kept = fleet.results.rename(fleet.folder / "kept")
    fleet.results.write_text("in the way")
    wait_until(lambda: fleet.has_said("results could not be uploaded"), "the fault")
    wait_until(lambda: any("uploaded" in reason for reason in reasons_held(fleet)), "the host to be named")
    fleet.results.unlink()
    kept.rename(fleet.results)
    assert fleet.wait(supervisor) == 0, fleet.said()
    fleet.check_all_once()


def reasons_held(fleet: Fleet) -> list[str]:
    return [reason for host in read_figures(fleet.database_url).hosts for reason in host.held]


def test_a_temporary_folder_that_goes_away_costs_nothing(fleet: Fleet) -> None:
    """Somebody tidies /tmp: the chunk is given back, the worker replaced or goes on, no failure counts."""
    fleet.add_images("a", [bytes(number + 1) for number in range(120)])
    fleet.enqueue()
    supervisor = fleet.start(WORKER_STUB_S="0.05")
    wait_until(lambda: len(fleet.rows()) >= 20, "some results")
    wait_until(lambda: is_removed(fleet.temp), "the folder's end")
    assert fleet.wait(supervisor) == 0, fleet.said()
    rows = fleet.rows()
    assert {row.image for row in rows} == set(fleet.contents)


def test_a_worker_without_descriptors_charges_neither_image_nor_chunk(fleet: Fleet) -> None:
    """A decoder that cannot open its file says nothing about it; others are in the recogniser meanwhile."""
    fleet.add_images("a", [b"C", b"descriptors", b"CC", b"CCC", b"CCCC"])
    fleet.enqueue()
    assert fleet.wait(fleet.start(WORKER_ATTEMPTS="1")) == 0, fleet.said()
    fleet.check_all_once()
    assert fleet.has_said("given back, held back: images cannot be read: Too many open files"), fleet.said()


def test_a_download_that_hangs_ends_its_worker_and_is_its_chunks_fault(fleet: Fleet) -> None:
    """A pipe that nobody writes to stands where an image was, as a file server that does not answer would.
    What an image of another chunk does to the worker meanwhile is told apart from it.
    """
    fleet.add_images("a", [*(bytes(number + 1) for number in range(5)), b"raise"])
    fleet.add_images("b", [bytes(3)] * 3)
    fleet.enqueue()
    (fleet.images / "b/00001.png").unlink()
    os.mkfifo(fleet.images / "b/00001.png")
    stall_s = str(min(30, 3 * slowdown()))  # what does go on is never so long without progress
    assert fleet.wait(fleet.start(WORKER_STALL_S=stall_s, WORKER_ATTEMPTS="1")) == 0, fleet.said()
    errors = {row.image: row.result.error for row in fleet.rows()}
    assert errors.pop("a/00005.png") == "WorkerCrash: the worker exited with code 1"
    assert errors == {f"a/{number:05}.png": None for number in range(5)}
    said = (fleet.folder / "supervisor-0.log").read_text()
    assert said.count("exited with code 1; it said last") == 3, "the image, at first and then twice alone"
    assert said.count("and was ended; it said last") == 1, "never with images in hand"
    [chunk] = read_figures(fleet.database_url).dead
    assert "made no progress" in str(chunk.error)
    assert fleet.all_pids() == []
    assert list(fleet.temp.rglob("*")) == [lock_file(fleet.temp)]


def is_removed(folder: Path) -> bool:
    """Whether all of it went, while a worker goes on to put files into it."""
    try:
        shutil.rmtree(folder)
    except OSError:
        return False
    return True
