"""The queue in figures, for `status`, the collector's `fleet` source and the web app's /fleet: read, never
written.
"""

from __future__ import annotations

from worker.jobqueue import counting
from worker.jobqueue.database import Database
from worker.jobqueue.errors import QueueError
from worker.jobqueue.figure_values import (
    SILENT_S,
    BatchFigures,
    ChunkFigures,
    DecisionFigures,
    EventFigures,
    Figures,
    HostFigures,
)
from worker.jobqueue.migrate import read_revision
from worker.jobqueue.schema import REVISION
from worker.jobqueue.values import ResultRow

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
    database = Database(url, patience_s, read_only=True)
    try:
        revision = database.read(read_revision)
        if revision != REVISION:
            raise QueueError(f"{database.named}: schema {revision or 'missing'}, expected {REVISION}")
        return database.read(lambda connection: counting.count(connection, last, latest))
    finally:
        database.close()
