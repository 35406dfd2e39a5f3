"""What a worker is reckoned to need: setting, then what the queue learned, then the engine; measured at
last.
"""

from __future__ import annotations

import pytest

from worker.gate.admission import ResourceEstimate
from worker.gate.resource_estimate import ESTIMATES, estimate, learn, most_private_bytes
from worker.queue import UsageStatistics
from worker.runner.worker_status import WorkerStatus
from worker.settings import Settings

MB = 1_000_000


def settings(engine: str, **values: int) -> Settings:
    return Settings.model_validate({"decimer_engine": engine, **values})


def test_first_guess_is_the_engines() -> None:
    assert estimate(settings("upstream"), None).private_bytes == 5000 * MB
    assert estimate(settings("onnx"), None).private_bytes == 300 * MB
    assert estimate(settings("onnx", decimer_threads=2), None).cpus == 2


@pytest.mark.parametrize(
    ("threads", "slots", "peak_mb"), [(1, 8, 226), (2, 8, 384), (16, 8, 2026), (1, 64, 700), (2, 64, 1269)]
)
def test_a_worker_of_many_threads_or_slots_is_given_the_memory_that_it_takes(
    threads: int, slots: int, peak_mb: int
) -> None:
    """The peaks are measured ones, over the engine's test drawings."""
    chosen = settings("onnx", decimer_threads=threads, decimer_slots=slots)
    assert peak_mb * MB < estimate(chosen, None).private_bytes < 1.4 * peak_mb * MB
    assert most_private_bytes(chosen) > 2 * peak_mb * MB


def test_a_worker_reckoned_with_less_than_its_weights_does_not_leave_for_it() -> None:
    assert most_private_bytes(settings("onnx")) == 600 * MB
    assert most_private_bytes(settings("onnx", worker_memory_mb=300)) == 600 * MB
    assert most_private_bytes(settings("onnx", worker_memory_mb=1335)) == 2000 * MB
    assert most_private_bytes(settings("onnx", worker_memory_mb=300, worker_memory_limit_mb=250)) == 250 * MB


def test_what_the_queue_learned_replaces_it() -> None:
    need = estimate(settings("upstream"), UsageStatistics(2000 * MB, 1.2))
    assert (need.private_bytes, need.cpus) == (2200 * MB, 1.2)


def test_shared_weights_are_not_counted_with_each_worker() -> None:
    need = estimate(settings("onnx"), UsageStatistics(535 * MB, 1))
    assert need == ResourceEstimate(220 * MB, 335 * MB, 1)


def test_the_setting_wins() -> None:
    assert (
        estimate(settings("upstream", worker_memory_mb=3000), UsageStatistics(2000 * MB, 1)).private_bytes
        == 3000 * MB
    )


def test_a_worker_that_did_a_chunk_teaches() -> None:
    fresh = WorkerStatus(peak_private_bytes=9000 * MB)
    worked = WorkerStatus(peak_private_bytes=1000 * MB, shared_bytes=300 * MB, chunks_done=1)
    assert learn(ESTIMATES["upstream"], [fresh]) == ESTIMATES["upstream"]
    assert learn(ESTIMATES["upstream"], [fresh, worked]) == ResourceEstimate(1100 * MB, 300 * MB, 1.3)
