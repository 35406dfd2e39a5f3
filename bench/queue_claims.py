"""Claims alone: how many a second, and how long the slowest take, in a queue as long as the largest run's.

The peer is what the database itself can do: the same driver taking a row of a bare table with one statement
in one transaction, in the same run.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import text

from worker.queue import Queue, QueuePolicy, open_queue
from worker.queue.database.connections import Database

IMAGES = 51  # a chunk
BARE_TAKE = """
UPDATE bare SET taken = 1 WHERE id = (SELECT id FROM bare WHERE taken = 0 ORDER BY id LIMIT 1 {locking})
RETURNING id
"""
Figure = tuple[str, float, str, dict[str, Any]]


def measure_claims(url: str, chunks: int, processes: int) -> Iterator[Figure]:
    queue = open_queue(url, QueuePolicy())
    fill(queue, chunks)
    claims_s, rate = together(take_chunks, url, processes)
    bare_s, bare_rate = together(take_bare, url, processes)
    queue.close()
    ratio = {"against": "bare UPDATE ... RETURNING of a row, same driver"}
    yield "claims", rate, "claims/s", ratio | {"ratio": round(rate / bare_rate, 3)}
    for percent in (50, 99):
        ours_ms, bare_ms = percentile_ms(claims_s, percent), percentile_ms(bare_s, percent)
        yield f"claim_p{percent}", ours_ms, "ms", ratio | {"ratio": round(ours_ms / bare_ms, 2)}


def fill(queue: Queue, chunks: int) -> None:
    names = [f"{number:07}.png" for number in range(IMAGES)]
    batch = queue.add_batch("bench", "/images")
    for start in range(0, chunks, 100):
        directories = [(f"d{number:05}", names) for number in range(start, min(start + 100, chunks))]
        queue.add_directories(batch, directories, 500)

    def bare(connection: Any) -> None:
        connection.execute(text("CREATE TABLE bare (id INTEGER PRIMARY KEY, taken INTEGER)"))
        connection.execute(
            text("INSERT INTO bare VALUES (:id, 0)"), [{"id": number} for number in range(chunks)]
        )

    queue.database.write(bare)


def together(take: Any, url: str, processes: int) -> tuple[list[float], float]:
    """Seconds of each claim, and claims a second, of some processes that take all there is."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        taken = pool.map(take, [url] * processes)
    spans_s = [span for spans, _, _ in taken for span in spans]
    return spans_s, len(spans_s) / (max(end for _, _, end in taken) - min(start for _, start, _ in taken))


def take_chunks(url: str) -> tuple[list[float], float, float]:
    queue = open_queue(url, QueuePolicy())
    spans_s = []
    started_s = time.monotonic()
    while True:
        asked_s = time.perf_counter()
        claim = queue.claim("worker", "host", "stub", "stub")
        spans_s.append(time.perf_counter() - asked_s)
        if claim is None:
            break
        assert len(claim.images) == IMAGES
    ended_s = time.monotonic()
    queue.close()
    return spans_s, started_s, ended_s


def take_bare(url: str) -> tuple[list[float], float, float]:
    database = Database(url, 30)
    locking = "" if url.startswith("sqlite") else "FOR UPDATE SKIP LOCKED"
    statement = text(BARE_TAKE.format(locking=locking))
    spans_s = []
    started_s = time.monotonic()
    while True:
        asked_s = time.perf_counter()
        row = database.write(lambda connection: connection.execute(statement).one_or_none())
        spans_s.append(time.perf_counter() - asked_s)
        if row is None:
            break
    ended_s = time.monotonic()
    database.close()
    return spans_s, started_s, ended_s


def percentile_ms(spans_s: Sequence[float], percent: int) -> float:
    """The smallest that so many per cent do not exceed."""
    ordered = sorted(spans_s)
    return 1000 * ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
