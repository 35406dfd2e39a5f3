"""A batch with its history and one page of its results: read in one transaction, bounded in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, func, select

from worker.queue.chosen import read_rows
from worker.queue.database.sql import db_now
from worker.queue.model import ResultRow
from worker.queue.schema import PICTURES_SINCE, batch_id_of, chunks
from worker.queue.statistics.batches import NOTHING_TAKEN, BatchHistory, count_failures, read_histories
from worker.queue.statistics.hosts import read_doubtful_below
from worker.queue.statistics.queue import BatchFigures, read_batch
from worker.review.choice import After, ResultFilter
from worker.review.opened import open_results
from worker.review.reviewed import (
    NO_VERDICTS,
    BandAgreement,
    Verdicts,
    places_of,
    read_agreement,
    schema_for,
)


@dataclass(frozen=True, slots=True)
class BatchPage:
    """`after` begins the next page; None on the last."""

    at: float
    batch: BatchFigures
    doubtful_below: float  # least confidence
    history: BatchHistory
    failures: Mapping[str, int]  # by kind of error; pictures given up with their chunk are in none
    rows: tuple[ResultRow, ...]
    after: After | None
    folders: Folders


def read_batch_page(
    url: str, name: str, chosen: ResultFilter, after: After | None, count: int,
    patience_s: float = 2, verdicts: Verdicts = NO_VERDICTS,
) -> BatchPage | None:  # fmt: skip
    """None where there is no such batch. Raises QueueUnavailable; QueueError when there is no queue, or one
    too old to know how sure answers are, or, where reviews are asked for, to find results by their pictures.
    """
    with open_results(url, patience_s, schema_for(chosen)) as (database, revision):
        return database.read(
            partial(
                _read,
                revision=revision,
                name=name,
                chosen=chosen,
                after=after,
                count=count,
                verdicts=verdicts,
            )
        )


def read_batch_agreement(
    url: str, name: str, verdicts: Verdicts, patience_s: float = 2
) -> tuple[BandAgreement, ...] | None:
    """None where there is no such batch. Raises as `read_batch_page`."""
    with open_results(url, patience_s, PICTURES_SINCE) as (database, _):

        def read(connection: Connection) -> tuple[BandAgreement, ...] | None:
            batch_id = batch_id_of(connection, name)
            return None if batch_id is None else read_agreement(connection, batch_id, verdicts)

        return database.read(read)


def read_answers(
    url: str, pairs: Sequence[tuple[int, int]], patience_s: float = 2
) -> dict[tuple[int, int], ResultRow]:
    """Results by chunk and number, those that are there. Raises QueueUnavailable, QueueError."""
    with open_results(url, patience_s) as (database, _):
        return database.read(partial(read_rows, pairs=pairs))


def read_results_of(
    url: str, name: str, chosen: ResultFilter, after: After | None, count: int,
    verdicts: Verdicts = NO_VERDICTS, patience_s: float = 2,
) -> tuple[tuple[ResultRow, ...], After | None] | None:  # fmt: skip
    """The rows alone, and what begins the next page; None where there is no such batch."""

    def read(connection: Connection) -> tuple[tuple[ResultRow, ...], After | None] | None:
        batch_id = batch_id_of(connection, name)
        return None if batch_id is None else _read_rows(connection, batch_id, chosen, after, count, verdicts)

    with open_results(url, patience_s, schema_for(chosen)) as (database, _):
        return database.read(read)


def _read(
    connection: Connection,
    revision: str,
    name: str,
    chosen: ResultFilter,
    after: After | None,
    count: int,
    verdicts: Verdicts,
) -> BatchPage | None:
    batch_id = batch_id_of(connection, name)
    below = read_doubtful_below(connection)
    batch = None if batch_id is None else read_batch(connection, batch_id, below)
    if batch_id is None or batch is None:
        return None
    rows, following = _read_rows(connection, batch_id, chosen, after, count, verdicts)
    return BatchPage(
        at=connection.execute(select(db_now())).scalar_one(),
        batch=batch,
        doubtful_below=below,
        history=read_histories(connection, [batch_id], revision).get(batch_id, NOTHING_TAKEN),
        failures=count_failures(connection, batch_id),
        rows=rows,
        after=following,
        folders=read_folders(connection, batch_id),
    )


def _read_rows(
    connection: Connection, batch_id: int, chosen: ResultFilter, after: After | None, count: int,
    verdicts: Verdicts,
) -> tuple[tuple[ResultRow, ...], After | None]:  # fmt: skip
    keys = places_of(connection, batch_id, chosen, after, count + 1, verdicts)
    shown = keys[:count]
    rows = read_rows(connection, [(chunk, number) for _, chunk, number in shown])
    some = tuple(rows[chunk, number] for _, chunk, number in shown if (chunk, number) in rows)
    return some, After(*shown[-1]) if len(keys) > count else None


FOLDERS_MAX = 200  # a batch may have as many as pictures


@dataclass(frozen=True, slots=True)
class Folders:
    """The first by name, below the batch's source, each with its pictures that have a result; "" is the
    source itself. `count`: of all.
    """

    first: tuple[tuple[str, int], ...]
    count: int


def read_folders(connection: Connection, batch_id: int) -> Folders:
    own = chunks.c.batch_id == batch_id
    query = (
        select(chunks.c.directory, func.sum(chunks.c.images_done))
        .where(own)
        .group_by(chunks.c.directory)
        .order_by(chunks.c.directory)
        .limit(FOLDERS_MAX + 1)
    )
    found = tuple((row[0], int(row[1])) for row in connection.execute(query))
    if len(found) <= FOLDERS_MAX:
        return Folders(found, len(found))
    count = connection.execute(select(func.count(chunks.c.directory.distinct())).where(own)).scalar_one()
    return Folders(found[:FOLDERS_MAX], count)
