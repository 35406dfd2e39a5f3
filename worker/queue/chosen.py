"""Results read by what is asked of them: how sure they are, in that order, or the latest. By indexes and a
page at a time, so that memory is bounded whatever a batch holds.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    text,
    tuple_,
)

from worker.queue.database.connections import Database
from worker.queue.database.migrate import fill_all
from worker.queue.model import ResultRow
from worker.queue.results import (
    IS_ONE_OF_THESE,
    NOTED_ROWS,
    RESULT_ROWS,
    chunks_with_results,
    read_results,
    unpack_row,
)
from worker.queue.schema import attempts, batches, chunks, results

PAGE = 1_000  # results read together
CHUNKS_TOGETHER = 20
ORDER = (results.c.least_confidence, results.c.chunk_id, results.c.number)
Key = tuple[float, int, int]  # least confidence, chunk, number


@dataclass(frozen=True, slots=True)
class ResultChoice:
    """Which results, by least confidence, and whether the least sure come first; what has no confidence (an
    error) is there only where nothing is asked of it, and comes last.
    """

    at_least: float | None = None
    below: float | None = None
    least_first: bool = False

    @property
    def asks_confidence(self) -> bool:
        return self.at_least is not None or self.below is not None

    def condition(self) -> ColumnElement[bool]:
        least = results.c.least_confidence
        wanted = [] if self.at_least is None else [least >= self.at_least]
        wanted += [] if self.below is None else [least < self.below]
        return and_(least.is_not(None), *wanted)


def read_all(database: Database, batch: str | None, have: Mapping[int, int]) -> Iterator[ResultRow]:
    """In order of chunk and image, without the chunks that have no more results than `have` says."""
    counts = database.read(lambda connection: chunks_with_results(connection, batch))
    ids = [chunk for chunk, count in counts if count > have.get(chunk, 0)]
    for start in range(0, len(ids), CHUNKS_TOGETHER):
        yield from database.read(partial(read_results, chunk_ids=ids[start : start + CHUNKS_TOGETHER]))


def read_chosen(
    database: Database, batch: str | None, choice: ResultChoice, page_rows: int = PAGE
) -> Iterator[ResultRow]:
    """Raises QueueRefused when there is no such batch."""
    fill_all(database)
    chunk_ids = [
        chunk for chunk, _ in database.read(lambda connection: chunks_with_results(connection, batch))
    ]
    if not choice.least_first:
        wanted = choice.condition() if choice.asks_confidence else literal(True)
        yield from _by_chunk(database, chunk_ids, wanted)
        return
    ids = database.read(partial(_batch_ids, batch=batch))
    pages = (_by_confidence(database, each, choice, page_rows) for each in ids)
    yield from (row for _, row in heapq.merge(*pages, key=itemgetter(0)))
    if not choice.asks_confidence:
        yield from _by_chunk(database, chunk_ids, results.c.least_confidence.is_(None))


def _by_chunk(database: Database, chunk_ids: list[int], wanted: ColumnElement[bool]) -> Iterator[ResultRow]:
    for start in range(0, len(chunk_ids), CHUNKS_TOGETHER):
        some = results.c.chunk_id.in_(chunk_ids[start : start + CHUNKS_TOGETHER])
        query = NOTED_ROWS.where(some, wanted).order_by(results.c.chunk_id, results.c.number)
        yield from database.read(partial(_read, query=query))


def _by_confidence(
    database: Database, batch_id: int, choice: ResultChoice, page_rows: int
) -> Iterator[tuple[Key, ResultRow]]:
    """Keys first, from the index alone, then their rows: a database without statistics, as after many
    changes, may otherwise join the whole batch for each page.
    """
    query = first_keys(batch_id, choice, page_rows)
    keys = database.read(partial(_read_keys, query=query))
    while keys:
        rows = database.read(partial(read_rows, pairs=[key[1:] for key in keys]))
        yield from ((key, rows[key[1:]]) for key in keys if key[1:] in rows)  # some may be gone by now
        beyond = tuple_(*ORDER) > tuple_(*(literal(part) for part in keys[-1]))
        keys = database.read(partial(_read_keys, query=query.where(beyond)))


def first_keys(batch_id: int, choice: ResultChoice, count: int) -> Select[Any]:
    """The keys of a batch's least sure results that are chosen."""
    wanted = select(*ORDER).where(results.c.batch_id == batch_id, choice.condition())
    return wanted.order_by(*ORDER).limit(count)


def _read_keys(connection: Connection, query: Any) -> list[Key]:
    return [tuple(row) for row in connection.execute(query)]


def read_rows(connection: Connection, pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], ResultRow]:
    """By chunk and number; those that are there."""
    rows = connection.execute(NOTED_ROWS.where(IS_ONE_OF_THESE), {"keys": json.dumps(pairs)})
    return {(row.chunk_id, row.number): unpack_row(row) for row in rows}


def _batch_ids(connection: Connection, batch: str | None) -> list[int]:
    query = select(batches.c.id).where(or_(literal(batch is None), batches.c.name == batch))
    return list(connection.execute(query.order_by(batches.c.id)).scalars())


def _read(connection: Connection, query: Any) -> list[ResultRow]:
    return [unpack_row(row) for row in connection.execute(query)]


def count_doubtful(
    connection: Connection, below: float | None, batch_id: int | None = None
) -> dict[int, int]:
    """Results by batch, or of one, from the index alone; none where the schema knows no confidence (None)."""
    if below is None:
        return {}
    query = (
        select(results.c.batch_id, func.count())
        .where(results.c.least_confidence < below, results.c.batch_id.is_not(None))
        .group_by(results.c.batch_id)
    )
    if batch_id is not None:
        query = query.where(results.c.batch_id == batch_id)
    return dict(connection.execute(query).all())


LATEST_CHUNKS = 20  # of each kind that are looked into
MOST_ROWS = 20_000  # read at most, but for a chunk that alone has more

# Each store renews the lease
STORED_TO = (
    select(chunks.c.id, chunks.c.images_done)
    .where(text("state = 'active'"), chunks.c.images_done > 0)
    .order_by(chunks.c.lease_until.desc())
    .limit(LATEST_CHUNKS)
)
ENDED_LAST = (
    select(attempts.c.chunk_id, attempts.c.ended_at)
    .where(attempts.c.ended_at.is_not(None))
    .order_by(attempts.c.ended_at.desc())
    .limit(LATEST_CHUNKS)
    .subquery()
)
ENDED_LATELY = (
    select(chunks.c.id, chunks.c.images_done)
    .join(ENDED_LAST, ENDED_LAST.c.chunk_id == chunks.c.id)
    .where(chunks.c.images_done > 0)
    .group_by(chunks.c.id, chunks.c.images_done)
    .order_by(func.max(ENDED_LAST.c.ended_at).desc())
)
NEWEST = (
    select(results.c.chunk_id, results.c.number)
    .where(results.c.chunk_id.in_(bindparam("chunks", expanding=True)))
    .order_by(results.c.stored_at.desc(), results.c.chunk_id.desc(), results.c.number.desc())
    .limit(bindparam("last"))
)
LATEST_FIRST = (results.c.stored_at.desc(), results.c.chunk_id.desc(), results.c.number.desc())


def read_latest(connection: Connection, last: int, is_newest: bool = True) -> tuple[ResultRow, ...]:
    """The newest first; an older schema has no notes or pages."""
    if not last:
        return ()
    chosen = choose_chunks(
        [tuple(row) for query in (STORED_TO, ENDED_LATELY) for row in connection.execute(query)]
    )
    keys = [tuple(row) for row in connection.execute(NEWEST, {"chunks": chosen, "last": last})]
    query = (NOTED_ROWS if is_newest else RESULT_ROWS).where(IS_ONE_OF_THESE).order_by(*LATEST_FIRST)
    return tuple(unpack_row(row) for row in connection.execute(query, {"keys": json.dumps(keys)}))


def choose_chunks(counted: list[tuple[int, int]]) -> list[int]:
    """The first of the chunks (id, results) that have no more than MOST_ROWS together; at least one."""
    chosen: list[int] = []
    rows = 0
    for chunk, count in counted:
        rows += count
        if chosen and rows > MOST_ROWS:
            break
        chosen.append(chunk)
    return chosen
