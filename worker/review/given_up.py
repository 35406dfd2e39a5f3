"""Pictures that were given up with their chunk: they failed, and have no result. They are shown as results
with their chunk's error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, Text, and_, bindparam, func, literal, select, tuple_

from worker.answers.page_names import page_name
from worker.queue.database.sql import given_pairs
from worker.queue.model import Result, ResultRow
from worker.queue.schema import FAILED, attempts, batches, chunks, images, results

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
        .where(chunks.c.state == FAILED, ~_HAS_RESULT)
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
