"""The queue's database, opened to read single results from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from worker.queue.database.connections import Database
from worker.queue.database.migrate import require_queue
from worker.queue.model import QueueError
from worker.queue.schema import PAGES_SINCE


@contextmanager
def open_results(url: str, patience_s: float, needed: str = PAGES_SINCE) -> Iterator[tuple[Database, str]]:
    """With its schema's revision, `needed` at least. Raises QueueUnavailable; QueueError when there is no
    queue, or one that is too old.
    """
    with closing(Database(url, patience_s, read_only=True)) as database:
        revision = require_queue(database)
        if revision < needed:
            raise too_old(database, revision, needed)
        yield database, revision


def too_old(database: Database, revision: str, needed: str) -> QueueError:
    return QueueError(
        f"{database.named}: its schema {revision} is older than {needed}: `worker enqueue` or "
        "`worker run` brings it up to date"
    )
