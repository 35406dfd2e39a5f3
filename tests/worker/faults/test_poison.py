"""Images that kill, hang or bloat their worker: they alone end with an error, the rest of the chunk is done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.fleet import Fleet


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment={"WORKER_MAX_WORKERS": "2", "WORKER_STALL_S": "2"})
    yield fleet
    fleet.stop()


@pytest.mark.parametrize(
    ("order", "error"),
    [
        (b"segfault", "WorkerCrash: the worker crashed by SIGSEGV"),
        (b"exit", "WorkerCrash: the worker exited with code 3"),
        (b"raise", "WorkerCrash: the worker exited with code 1"),
        (b"hang", "WorkerCrash: the worker made no progress for"),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "",
)
def test_a_poisonous_image_ends_alone(fleet: Fleet, order: bytes, error: str) -> None:
    contents = [bytes(number + 1) for number in range(20)]
    contents[7] = order
    fleet.add_images("a", contents)
    fleet.enqueue(chunk_images=20)
    assert fleet.wait(fleet.start()) == 0, fleet.said()
    fleet.check_all_once(failed={"a/00007.png": error})
