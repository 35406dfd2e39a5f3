"""Before a chunk is claimed its worker knows what its own files hold, and what other workers have told."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.support import wait_until
from tests.worker.queue.helpers import queue_at
from worker.decimer.stub import StubRecogniser
from worker.gate.limits import THUMBNAIL_BYTES, gate_limits
from worker.gate.temporary import TempFolder, read_temp_use
from worker.queue import Queue, Result
from worker.runner.active_chunks import ActiveChunk, ActiveChunks
from worker.runner.claimer import Claimer
from worker.runner.fetched import Pages
from worker.runner.fetcher import Fetcher
from worker.runner.host_hold import HostHold, StorageTrial
from worker.runner.runner import page_counter
from worker.runner.worker_status import WorkerStatusPage
from worker.settings import Settings

MB = 1_000_000
IMAGES = 4


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of 10 MB a chunk is reckoned to take 2."""
    return Settings.model_validate(
        {
            "state_dir": tmp_path,
            "temp_dir": tmp_path / "temp",
            "temp_limit_mb": 10,
            "image_mb": 0.5,
            "chunk_images": IMAGES,
        }
    )


@pytest.fixture
def queue(settings: Settings, tmp_path: Path) -> Iterator[Queue]:
    """One chunk, of images of 10 kB."""
    (tmp_path / "images").mkdir()
    names = [f"{number}.png" for number in range(IMAGES)]
    for name in names:
        (tmp_path / "images" / name).write_bytes(bytes(10_000))
    queue = queue_at(settings.queue_url)
    queue.add_directories(queue.add_batch("b", str(tmp_path / "images")), [("", names)], IMAGES)
    yield queue
    queue.close()


@pytest.fixture
def folder(settings: Settings) -> TempFolder:
    return TempFolder(settings.temp_dir, "own")


@pytest.fixture
def active() -> ActiveChunks:
    return ActiveChunks(WorkerStatusPage.create("own"))


@pytest.fixture
def claimer(queue: Queue, folder: TempFolder, active: ActiveChunks, settings: Settings) -> Iterator[Claimer]:
    claimer = Claimer(
        "own", "host", queue, StubRecogniser(0), active, folder, gate_limits(settings), settings
    )
    yield claimer
    claimer.close()


def used_bytes(settings: Settings) -> int:
    return read_temp_use(settings.temp_dir, settings.temp_limit_bytes).used_bytes


def test_own_files_and_what_others_told_hold_a_claim_back(
    claimer: Claimer, folder: TempFolder, settings: Settings
) -> None:
    other = TempFolder(settings.temp_dir, "other")
    other.reserve(7 * MB)
    own = folder.path / "0-0.png"
    own.touch()
    os.truncate(own, 1_500_000)
    assert claimer() == "temporary storage is 85 % used, over 80 %"
    own.unlink()
    assert isinstance(claimer(), ActiveChunk)
    assert used_bytes(settings) == 9 * MB, "a chunk's room is reserved"


def test_downloads_are_told_to_the_others_without_another_claim(
    claimer: Claimer, queue: Queue, folder: TempFolder, active: ActiveChunks, settings: Settings
) -> None:
    leaving = threading.Event()
    hold, trial = HostHold(1, 10), StorageTrial(lambda claim: None, folder.path)
    pages = Pages(page_counter(settings), queue.add_pages)
    fetcher = Fetcher(claimer, active, folder, leaving, hold, trial, 2, 1, pages)
    fetcher.start()
    try:
        wait_until(lambda: list(folder.path.glob("*.png")), "a download")
        folder.reserve(0)
        wait_until(lambda: used_bytes(settings) >= 10_000, "its size is told")
    finally:
        leaving.set()
        fetcher.stop()
        folder.remove()


def test_thumbnails_of_what_was_read_keep_their_room(
    queue: Queue, folder: TempFolder, active: ActiveChunks, settings: Settings
) -> None:
    with_them = settings.model_copy(update={"thumbnails": True})
    limits = gate_limits(with_them)
    claimer = Claimer("own", "host", queue, StubRecogniser(0), active, folder, limits, with_them)
    chunk = claimer()
    assert isinstance(chunk, ActiveChunk)
    assert used_bytes(settings) == IMAGES * (500_000 + THUMBNAIL_BYTES)
    active.add(chunk)
    for number in range(IMAGES):
        active.add_result(chunk, Result(number, "C"))
    assert isinstance(claimer(), str)
    assert used_bytes(settings) == IMAGES * THUMBNAIL_BYTES
    claimer.close()
