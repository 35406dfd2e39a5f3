"""The queue in figures, for `status`, the collector's `fleet` source and the web app's /fleet: read, never
written.
"""

from __future__ import annotations

from contextlib import closing

from worker.queue import counting
from worker.queue.database import Database
from worker.queue.errors import QueueError
from worker.queue.figures import (
    SILENT_S,
    BatchFigures,
    ChunkFigures,
    DecisionFigures,
    EventFigures,
    Figures,
    HostFigures,
)
from worker.queue.migrate import require_queue
from worker.queue.model import ResultRow
from worker.queue.schema import REVISION

__all__ = [
    "SILENT_S",
    "BatchFigures",
    "ChunkFigures",
    "DecisionFigures",
    "EventFigures",
    "Figures",
    "HostFigures",
    "QueueError",
    "ResultRow",
    "read_figures",
]


def read_figures(url: str, patience_s: float = 2, last: int = 50, latest: int = 0) -> Figures:
    """All of one moment; `last`: how many events, decisions, dead letters; `latest`: how many results.
    Raises QueueUnavailable; QueueError when there is no queue of this program's version.
    """
    with closing(Database(url, patience_s, read_only=True)) as database:
        revision = require_queue(database)
        if revision != REVISION:
            raise QueueError(
                f"{database.named}: its schema is {revision}, this program's {REVISION}: update the older one"
            )
        return database.read(lambda connection: counting.count(connection, last, latest))
