"""A batch with its history and one page of its results: read in one transaction, bounded in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, func, select

from worker.queue.chosen import read_rows
from worker.queue.database.migrate import open_to_read
from worker.queue.database.sql import db_now
from worker.queue.model import ResultRow
from worker.queue.schema import PAGES_SINCE, PICTURES_SINCE, batch_id_of, chunks
from worker.queue.statistics.batches import NOTHING_TAKEN, BatchHistory, count_failures, read_histories
from worker.queue.statistics.hosts import read_doubtful_below
from worker.queue.statistics.queue import BatchFigures, read_batch
from worker.review.choice import After, ResultFilter, Span
from worker.review.reviewed import (
    NO_VERDICTS,
    BandAgreement,
    Verdicts,
    places_of,
    read_agreement,
    schema_for,
)
from worker.review.search import SEARCHED_MAX, span_of

ResultRows = tuple[tuple[ResultRow, ...], After | None, Span | None]


@dataclass(frozen=True, slots=True)
class BatchPage:
    """`after` begins the next page; None on the last. `searched`: what was looked through for these results;
    None where they are found by an index.
    """

    at: float
    batch: BatchFigures
    doubtful_below: float  # least confidence
    history: BatchHistory
    failures: Mapping[str, int]  # by kind of error; pictures given up with their chunk are in none
    rows: tuple[ResultRow, ...]
    after: After | None
    searched: Span | None
    folders: Folders


def read_batch_page(
    url: str, name: str, chosen: ResultFilter, after: After | None, count: int,
    patience_s: float = 2, verdicts: Verdicts = NO_VERDICTS, searched_max: int = SEARCHED_MAX,
) -> BatchPage | None:  # fmt: skip
    """None where there is no such batch. Raises QueueUnavailable; QueueError when there is no queue, or one
    too old to know how sure answers are, or, where reviews are asked for, to find results by their pictures.
    """
    with open_to_read(url, patience_s, schema_for(chosen)) as (database, revision):
        return database.read(
            partial(
                _read,
                revision=revision,
                name=name,
                chosen=chosen,
                after=after,
                count=count,
                verdicts=verdicts,
                searched_max=searched_max,
            )
        )


def read_batch_agreement(
    url: str, name: str, verdicts: Verdicts, patience_s: float = 2
) -> tuple[BandAgreement, ...] | None:
    """None where there is no such batch. Raises as `read_batch_page`."""
    with open_to_read(url, patience_s, PICTURES_SINCE) as (database, _):

        def read(connection: Connection) -> tuple[BandAgreement, ...] | None:
            batch_id = batch_id_of(connection, name)
            return None if batch_id is None else read_agreement(connection, batch_id, verdicts)

        return database.read(read)


def read_answers(
    url: str, pairs: Sequence[tuple[int, int]], patience_s: float = 2
) -> dict[tuple[int, int], ResultRow]:
    """Results by chunk and number, those that are there. Raises QueueUnavailable, QueueError."""
    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        return database.read(partial(read_rows, pairs=pairs))


def read_results_of(
    url: str, name: str, chosen: ResultFilter, after: After | None, count: int,
    verdicts: Verdicts = NO_VERDICTS, patience_s: float = 2, searched_max: int = SEARCHED_MAX,
) -> ResultRows | None:  # fmt: skip
    """The rows alone, what begins the next page, and what was searched for them; None where there is no such
    batch.
    """

    def read(connection: Connection) -> ResultRows | None:
        batch_id = batch_id_of(connection, name)
        if batch_id is None:
            return None
        return _read_rows(connection, batch_id, chosen, after, count, verdicts, searched_max)

    with open_to_read(url, patience_s, schema_for(chosen)) as (database, _):
        return database.read(read)


def _read(
    connection: Connection,
    revision: str,
    name: str,
    chosen: ResultFilter,
    after: After | None,
    count: int,
    verdicts: Verdicts,
    searched_max: int,
) -> BatchPage | None:
    batch_id = batch_id_of(connection, name)
    below = read_doubtful_below(connection)
    batch = None if batch_id is None else read_batch(connection, batch_id, below)
    if batch_id is None or batch is None:
        return None
    rows, following, searched = _read_rows(connection, batch_id, chosen, after, count, verdicts, searched_max)
    return BatchPage(
        at=connection.execute(select(db_now())).scalar_one(),
        batch=batch,
        doubtful_below=below,
        history=read_histories(connection, [batch_id], revision).get(batch_id, NOTHING_TAKEN),
        failures=count_failures(connection, batch_id),
        rows=rows,
        after=following,
        searched=searched,
        folders=read_folders(connection, batch_id),
    )


def _read_rows(
    connection: Connection, batch_id: int, chosen: ResultFilter, after: After | None, count: int,
    verdicts: Verdicts, searched_max: int,
) -> ResultRows:  # fmt: skip
    since = 0 if after is None else after.since
    span = span_of(connection, batch_id, chosen, since, searched_max)
    keys = places_of(connection, batch_id, chosen, after, count + 1, verdicts, span=span)
    shown = keys[:count]
    rows = read_rows(connection, [(chunk, number) for _, chunk, number in shown])
    some = tuple(rows[chunk, number] for _, chunk, number in shown if (chunk, number) in rows)
    if len(keys) > count:
        return some, After(*shown[-1], since=since), span
    return some, None if span is None else span.following, span


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
