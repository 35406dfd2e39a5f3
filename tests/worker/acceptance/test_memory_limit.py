"""The gate for real: a control group of 4 GB, memory sampled each second, ours and upstream's engine.

CPU is lifted as a limit, so that memory is what binds also on a small machine.
"""

from __future__ import annotations

import sysconfig
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.decimer_upstream import ensure_upstream, upstream_environment
from tests.services.cgroups import MemoryGroup, memory_group
from tests.worker.acceptance.test_real_engine import add_drawings, read_answers
from tests.worker.decimer.conftest import model  # noqa: F401 - fetches the weights once
from tests.worker.fleet import ROOT, RUN, Fleet
from worker.decimer.model.store import Model

LIMIT_BYTES = 4_000_000_000
THRESHOLD = 0.75
MB = 1_000_000
GATE = {
    "WORKER_MEMORY_THRESHOLD_PCT": str(100 * THRESHOLD),
    "WORKER_MEMORY_DRAIN_PCT": "90",
    "WORKER_AVERAGE_S": "2",
    "WORKER_SAMPLE_S": "0.5",
    "WORKER_LEASE_S": "60",
}


@contextmanager
def sampled(group: MemoryGroup) -> Iterator[list[int]]:
    """The group's memory, once a second, while the context lasts."""
    samples: list[int] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(1):
            samples.append(group.used_bytes)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        over.set()
        thread.join()


def run_in_group(fleet: Fleet, step_bytes: int, command: tuple[str, ...], timeout_s: float) -> int:
    """Memory stays under the threshold plus one worker's step, nothing is killed, every answer is right.

    Gives how many workers there were.
    """
    answers = read_answers()
    fleet.enqueue(chunk_images=4)
    with memory_group(LIMIT_BYTES) as group:
        with sampled(group) as samples:
            assert fleet.wait(fleet.start(group.command(*command)), timeout_s) == 0, fleet.said()
        assert group.oom_kills == 0, fleet.said()
    workers = fleet.said().count("spawned: ")
    print(
        f"{workers} workers; memory by the second, in MB: {[round(value / MB) for value in samples]}; "
        f"threshold {THRESHOLD * LIMIT_BYTES / MB:.0f} MB, step {step_bytes / MB:.0f} MB"
    )
    assert max(samples) <= THRESHOLD * LIMIT_BYTES + step_bytes
    rows = fleet.rows()
    assert {row.image for row in rows} == set(fleet.contents)
    for row in rows:
        assert row.result.smiles == answers[Path(row.image).name]["smiles"]
    return workers


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, environment=GATE)
    yield fleet
    fleet.stop()


@pytest.mark.soak
def test_ours(fleet: Fleet, tmp_path: Path, model: Model) -> None:  # noqa: F811
    fleet.environment["WORKER_DECIMER_ENGINE"] = "onnx"
    add_drawings(fleet, tmp_path, 200)
    run_in_group(fleet, (300 + 335) * MB, RUN, timeout_s=1500)


@pytest.mark.soak
def test_ours_with_what_is_promised_at_the_threshold(fleet: Fleet, tmp_path: Path, model: Model) -> None:  # noqa: F811
    """A worker is let in only where what all will come to stays below it, and so memory does."""
    fleet.environment |= {
        "WORKER_DECIMER_ENGINE": "onnx",
        "WORKER_MEMORY_PROMISED_PCT": str(100 * THRESHOLD),
    }
    add_drawings(fleet, tmp_path, 200)
    assert run_in_group(fleet, 0, RUN, timeout_s=1500) > 1


@pytest.mark.soak
def test_upstreams(fleet: Fleet, tmp_path: Path) -> None:
    """One worker fits, a second would pass the limit: it is never started."""
    python = str(ensure_upstream())
    packages = sysconfig.get_paths()["purelib"]
    fleet.environment |= {
        "WORKER_DECIMER_ENGINE": "upstream",
        "WORKER_WORKER_MEMORY_MB": "3300",
        "PYSTOW_HOME": upstream_environment()["PYSTOW_HOME"],
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": f"{ROOT}:{packages}",
    }
    add_drawings(fleet, tmp_path, 12)
    run_in_group(fleet, 3300 * MB, (python, *RUN[1:]), timeout_s=1500)
    assert {row.engine for row in fleet.rows()} == {"upstream"}
    assert len({row.worker for row in fleet.rows()}) == 1
