"""Admission decisions alone: all that a worker does before each claim. There is a maximum of active chunks,
so that the queue is asked too, and temporary folders are as full as those of running workers.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench.queue_claims import Figure, percentile_ms
from bench.queue_worker import Stopwatch, TimedStub
from worker.gate.limits import gate_limits
from worker.gate.temporary import TempFolder
from worker.queue import Queue, open_queue
from worker.runner.active_chunks import ActiveChunk, ActiveChunks
from worker.runner.claimer import Claimer
from worker.runner.worker_status import WorkerStatusPage
from worker.settings import Settings

ACTIVE = 32  # chunks that others work on
FILES = 32  # in the folder of each worker
PAUSE_S = 0.1  # on average; 16 workers still decide four times as often as in the benchmark's run


def measure_admissions(url: str, folder: Path, decisions: int, processes: int) -> Iterator[Figure]:
    """Of some workers of one host that claim a chunk, give it back, and claim the next."""
    queue = open_queue(url)
    chunks = ACTIVE + 2 * processes
    listings = [(f"d{number:05}", ["a.png"]) for number in range(chunks)]
    queue.add_directories(queue.add_batch("bench", str(folder)), listings, 500)
    for _ in range(ACTIVE):
        queue.claim("other", "host", "stub", "stub")
    queue.close()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        taken = pool.map(partial(decide, url, folder, decisions // processes), range(processes))
    spans_s = [span for spans in taken for span in spans]
    for percent in (50, 99):
        yield f"admission_p{percent}", percentile_ms(spans_s, percent), "ms", {"of": len(spans_s)}


def decide(url: str, folder: Path, times: int, number: int) -> list[float]:
    """Seconds of each decision: those of the claim that follows are left out."""
    settings = Settings(temp_dir=folder / "temp", max_chunks=100, temp_limit_mb=100_000)
    place = TempFolder(settings.temp_dir, f"bench-{number}")
    for name in range(FILES):
        (place.path / f"{name}.png").write_bytes(b"an image of a few bytes")
    watch = Stopwatch()
    Queue.claim = watch.on("claim", Queue.claim)  # type: ignore[method-assign]
    queue = open_queue(url)
    active = ActiveChunks(WorkerStatusPage.create("bench"))
    claimer = Claimer("bench", "host", queue, TimedStub(0), active, place, gate_limits(settings), settings)
    wholes_s = []
    for _ in range(times):
        started_s = time.perf_counter()
        chunk = claimer()
        wholes_s.append(time.perf_counter() - started_s)
        assert isinstance(chunk, ActiveChunk), chunk
        queue.release(chunk.claim, "bench")
        time.sleep(random.uniform(0, 2 * PAUSE_S))
    claimer.close()
    queue.close()
    place.remove()
    return [whole - claim for whole, claim in zip(wholes_s, watch.spans_s["claim"], strict=True)]
