"""What a worker is reckoned to take: setting, then what the queue's chunks took, then the engine; measured at
last.
"""

from __future__ import annotations

import pytest

from worker.gate.model import ResourceEstimate, WorkerMemory
from worker.gate.resource_estimate import (
    ESTIMATES,
    estimate_resources,
    measured_resources,
    most_private_bytes,
)
from worker.queue import UsageStatistics
from worker.settings import Settings

MB = 1_000_000


def settings(engine: str, **values: int) -> Settings:
    return Settings.model_validate({"decimer_engine": engine, **values})


def test_first_guess_is_the_engines() -> None:
    assert estimate_resources(settings("upstream"), None).private_bytes == 5000 * MB
    assert estimate_resources(settings("onnx"), None).private_bytes == 300 * MB
    assert estimate_resources(settings("onnx", decimer_threads=2), None).cpus == 2


@pytest.mark.parametrize(
    ("threads", "slots", "peak_mb"), [(1, 8, 226), (2, 8, 384), (16, 8, 2026), (1, 64, 700), (2, 64, 1269)]
)
def test_a_worker_of_many_threads_or_slots_is_given_the_memory_that_it_takes(
    threads: int, slots: int, peak_mb: int
) -> None:
    """The peaks are measured ones, over the engine's test drawings."""
    chosen = settings("onnx", decimer_threads=threads, decimer_slots=slots)
    assert peak_mb * MB < estimate_resources(chosen, None).private_bytes < 1.4 * peak_mb * MB
    assert most_private_bytes(chosen) > 2 * peak_mb * MB


def test_a_worker_reckoned_with_less_than_its_weights_does_not_leave_for_it() -> None:
    assert most_private_bytes(settings("onnx")) == 600 * MB
    assert most_private_bytes(settings("onnx", worker_memory_mb=300)) == 600 * MB
    assert most_private_bytes(settings("onnx", worker_memory_mb=1335)) == 2000 * MB
    assert most_private_bytes(settings("onnx", worker_memory_mb=300, worker_memory_limit_mb=250)) == 250 * MB


def test_what_the_queues_chunks_took_replaces_it() -> None:
    estimate = estimate_resources(settings("upstream"), UsageStatistics(2000 * MB, 1.2))
    assert (estimate.private_bytes, estimate.cpus) == (2200 * MB, 1.2)


def test_shared_weights_are_not_counted_with_each_worker() -> None:
    estimate = estimate_resources(settings("onnx"), UsageStatistics(535 * MB, 1))
    assert estimate == ResourceEstimate(220 * MB, 335 * MB, 1)


def test_the_setting_wins() -> None:
    assert (
        estimate_resources(
            settings("upstream", worker_memory_mb=3000), UsageStatistics(2000 * MB, 1)
        ).private_bytes
        == 3000 * MB
    )


def test_a_worker_that_did_a_chunk_teaches() -> None:
    expected = ESTIMATES["upstream"]
    assert measured_resources(expected, []) == expected
    peaks = [WorkerMemory(900 * MB, 300 * MB), WorkerMemory(1000 * MB, 200 * MB)]
    assert measured_resources(expected, peaks) == ResourceEstimate(1100 * MB, 300 * MB, 1.3)
