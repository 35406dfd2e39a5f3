"""What the columns of confidence and notes cost a queue of 200,000 results: those of an earlier version
brought up to date (all of it, and the longest transaction), then the least sure of a batch, and the count of
doubtful ones in `status`.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Iterator

from sqlalchemy import update

from bench.queue import new_place, tell
from worker.queue import Queue, Result, ResultChoice, Usage, open_queue
from worker.queue.database.migrate import fill_piece
from worker.queue.schema import results
from worker.queue.statistics.queue import read_figures

FULL, TINY = (400, 500), (2, 5)  # chunks, results of each
TOKENS = ("C", "=", "1") * 20  # as many as a real drawing has


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true", help="10 results: for the output only")
    chunk_count, each = TINY if parser.parse_args().tiny else FULL
    for database in ("sqlite", "postgresql"):
        with new_place(database) as (url, _):
            queue = open_queue(url)
            store(queue, chunk_count, each)
            measure(f"{database}_confidence", queue, url)
            queue.close()


def store(queue: Queue, chunk_count: int, each: int) -> None:
    """As an earlier version left them."""
    batch = queue.add_batch("b", "/data")
    queue.add_directories(batch, [("d", [f"{n:06}.png" for n in range(chunk_count * each)])], each)
    chance = random.Random(1)
    while claim := queue.claim("w", "h", "stub", "stub"):
        found = [
            Result(image.number, "C" * 40, TOKENS, tuple(1 - chance.random() ** 40 for _ in TOKENS))
            for image in claim.images
        ]
        queue.finish(queue.store(claim, found), Usage())
    forgotten = update(results).values(batch_id=None, least_confidence=None, mean_confidence=None)
    queue.database.write(lambda connection: connection.execute(forgotten))


def measure(name: str, queue: Queue, url: str) -> None:
    pieces_s = list(fill(queue))
    tell(f"{name}_fill", sum(pieces_s), "s")
    tell(f"{name}_fill_longest_piece", 1_000 * max(pieces_s), "ms")
    least = queue.chosen_results("b", ResultChoice(least_first=True))
    tell(f"{name}_least_sure", 1_000 * timed(lambda: next(least)), "ms", results=1_000)
    tell(f"{name}_status", 1_000 * timed(lambda: read_figures(url)), "ms")
    tell(f"{name}_doubtful", read_figures(url).batches[0].doubtful, "results")


def fill(queue: Queue) -> Iterator[float]:
    """Seconds of each piece."""
    while True:
        started_s = time.perf_counter()
        if not queue.database.write(fill_piece):
            return
        yield time.perf_counter() - started_s


def timed(run: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    run()
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
