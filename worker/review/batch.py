"""A batch with its history and one page of its results: read in one transaction, bounded in memory."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, select

from worker.queue.batch_statistics import NOTHING_TAKEN, BatchHistory, read_histories
from worker.queue.chosen import read_rows
from worker.queue.database import Database
from worker.queue.migrate import require_queue
from worker.queue.model import QueueError, ResultRow
from worker.queue.schema import PAGES_SINCE, batches
from worker.queue.sql import db_now
from worker.queue.statistics import BatchFigures, read_batch
from worker.review.choice import After, ResultFilter


@dataclass(frozen=True, slots=True)
class BatchPage:
    """`after` begins the next page; None on the last."""

    at: float
    batch: BatchFigures
    history: BatchHistory
    rows: tuple[ResultRow, ...]
    after: After | None


def read_batch_page(
    url: str, name: str, chosen: ResultFilter, after: After | None, count: int, doubtful_below: float,
    patience_s: float = 2,
) -> BatchPage | None:  # fmt: skip
    """None where there is no such batch. Raises QueueUnavailable; QueueError when there is no queue, or one
    too old to know how sure answers are.
    """
    with closing(Database(url, patience_s, read_only=True)) as database:
        revision = require_queue(database)
        if revision < PAGES_SINCE:
            raise QueueError(
                f"{database.named}: its schema {revision} is older than {PAGES_SINCE}: `worker enqueue` or "
                "`worker run` brings it up to date"
            )
        return database.read(
            partial(
                _read,
                revision=revision,
                name=name,
                chosen=chosen,
                after=after,
                count=count,
                below=doubtful_below,
            )
        )


def _read(
    connection: Connection,
    revision: str,
    name: str,
    chosen: ResultFilter,
    after: After | None,
    count: int,
    below: float,
) -> BatchPage | None:
    batch_id = connection.execute(select(batches.c.id).where(batches.c.name == name)).scalar_one_or_none()
    batch = None if batch_id is None else read_batch(connection, batch_id, below)
    if batch_id is None or batch is None:
        return None
    found = connection.execute(chosen.keys(batch_id, after, count + 1))
    keys: list[tuple[float, int, int]] = [(row[0], row[1], row[2]) for row in found]
    shown = keys[:count]
    rows = read_rows(connection, [(chunk, number) for _, chunk, number in shown])
    return BatchPage(
        at=connection.execute(select(db_now())).scalar_one(),
        batch=batch,
        history=read_histories(connection, [batch_id], revision).get(batch_id, NOTHING_TAKEN),
        rows=tuple(rows[chunk, number] for _, chunk, number in shown if (chunk, number) in rows),
        after=After(*shown[-1]) if len(keys) > count else None,
    )
