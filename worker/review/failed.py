"""The pictures that failed, of all batches or of one, by why: a page at a time, read, never written.

Those that were given up with their chunk have no result, and are shown as results with their chunk's error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, Text, and_, bindparam, func, literal, select, tuple_

from worker.answers.page_names import page_name
from worker.queue.chosen import read_rows
from worker.queue.database.migrate import open_to_read
from worker.queue.database.sql import given_pairs
from worker.queue.model import Result, ResultRow
from worker.queue.schema import FAILED as FAILED_CHUNK
from worker.queue.schema import PAGES_SINCE, attempts, batch_id_of, batches, chunks, images, results
from worker.review.choice import FAILED, After, ResultFilter

GIVEN_UP = "given_up"  # in place of FAILED: those without a result


@dataclass(frozen=True, slots=True)
class FailedPage:
    """`after` begins the next page; None on the last."""

    rows: tuple[ResultRow, ...]
    after: After | None


@dataclass(frozen=True, slots=True)
class FailedChoice:
    """`show` is FAILED (with an error) or GIVEN_UP (with their chunk). Empty text asks nothing."""

    show: str = FAILED
    error: str = ""  # what stands before the first colon
    batch: str = ""


def read_failed_page(
    url: str, chosen: FailedChoice, after: After | None, count: int, patience_s: float = 2
) -> FailedPage | None:
    """None where there is no such batch. Raises QueueUnavailable; QueueError when there is no queue, or one
    too old.
    """

    def read(connection: Connection) -> FailedPage | None:
        batch_id = None
        if chosen.batch:
            batch_id = batch_id_of(connection, chosen.batch)
            if batch_id is None:
                return None
        places = _places(connection, batch_id, chosen, after, count + 1)
        shown = places[:count]
        last = After(0.0, *shown[-1]) if len(places) > count else None
        return FailedPage(_rows(connection, chosen, shown), last)

    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        return database.read(read)


def _places(
    connection: Connection, batch_id: int | None, chosen: FailedChoice, after: After | None, count: int
) -> list[tuple[int, int]]:
    if chosen.show == GIVEN_UP:
        last = None if after is None else (after.chunk, after.number)
        query = given_up_keys(batch_id, last, count)
        return [(chunk, number) for chunk, number in connection.execute(query)]
    query = ResultFilter(FAILED, error=chosen.error).keys(batch_id, after, count)
    return [(chunk, number) for _, chunk, number in connection.execute(query)]


def _rows(
    connection: Connection, chosen: FailedChoice, places: Sequence[tuple[int, int]]
) -> tuple[ResultRow, ...]:
    """Those that are still there."""
    rows = (read_given_up if chosen.show == GIVEN_UP else read_rows)(connection, places)
    return tuple(rows[place] for place in places if place in rows)


REASON = "given up with its chunk"
_HAS_RESULT = (
    select(literal(1))
    .where(results.c.chunk_id == images.c.chunk_id, results.c.number == images.c.number)
    .exists()
)
_ROWS = (
    select(
        images.c.chunk_id,
        images.c.number,
        images.c.name,
        images.c.page,
        chunks.c.directory,
        chunks.c.error,
        chunks.c.ended_at,
        batches.c.name.label("batch"),
        func.coalesce(attempts.c.engine, "").label("engine"),
        func.coalesce(attempts.c.model, "").label("model"),
        func.coalesce(attempts.c.worker, "").label("worker"),
        func.coalesce(attempts.c.host, "").label("host"),
    )
    .join(chunks, chunks.c.id == images.c.chunk_id)
    .join(batches, batches.c.id == chunks.c.batch_id)
    .outerjoin(attempts, and_(attempts.c.chunk_id == chunks.c.id, attempts.c.token == chunks.c.token))
    .where(
        tuple_(images.c.chunk_id, images.c.number).op("IN", is_comparison=True)(
            given_pairs(bindparam("keys", type_=Text))
        )
    )
)


def given_up_keys(batch_id: int | None, after: tuple[int, int] | None, count: int) -> Select[Any]:
    """Chunk and number, in that order, of one batch or of all."""
    order = (images.c.chunk_id, images.c.number)
    query = (
        select(*order)
        .join(chunks, chunks.c.id == images.c.chunk_id)
        .where(chunks.c.state == FAILED_CHUNK, ~_HAS_RESULT)
    )
    if batch_id is not None:
        query = query.where(chunks.c.batch_id == batch_id)
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*(literal(part) for part in after)))
    return query.order_by(*order).limit(count)


def read_given_up(
    connection: Connection, keys: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], ResultRow]:
    """By chunk and number."""
    found = {}
    for row in connection.execute(_ROWS, {"keys": json.dumps(keys)}):
        name = page_name(row.name, row.page)
        error = f"{REASON}: {row.error}" if row.error else REASON
        found[row.chunk_id, row.number] = ResultRow(
            batch=row.batch,
            chunk=row.chunk_id,
            image=f"{row.directory}/{name}" if row.directory else name,
            result=Result(row.number, None, error=error),
            engine=row.engine,
            model=row.model,
            worker=row.worker,
            host=row.host,
            stored_at=row.ended_at or 0.0,
        )
    return found
