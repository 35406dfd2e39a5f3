"""A batch's results, or all, as pieces of an export: read some at a time, so that memory is bounded whatever
a batch holds, and no transaction is as long as a slow reader takes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO, Protocol

from sqlalchemy import Connection, Select, literal, tuple_

from worker.exports.base import COLUMNS, WITHOUT_LISTS, Columns
from worker.exports.csv import encode, write_rows
from worker.exports.jsonl import JsonLinesFormat
from worker.queue.database.connections import Database
from worker.queue.database.migrate import open_to_read
from worker.queue.model import ResultRow
from worker.queue.results import NOTED_ROWS, chunks_with_results, unpack_row
from worker.queue.schema import PAGES_SINCE, batch_id_of, results

TOGETHER = 500  # results
_CHUNKS_TOGETHER = 20
EXPORT_FORMATS = ("csv", "jsonl")


class _Write(Protocol):
    def __call__(self, rows: Sequence[ResultRow], stream: BinaryIO, columns: Columns) -> int: ...


def export_pieces(
    url: str, batch: str | None, form: str, with_tokens: bool, patience_s: float = 2
) -> Iterator[bytes]:
    """Of one of EXPORT_FORMATS, in order of chunks and pictures; the first piece is the heading, or empty.
    None at all where there is no such batch. Raises QueueUnavailable; QueueError.
    """
    columns = COLUMNS if with_tokens else WITHOUT_LISTS
    write: _Write = write_rows if form == "csv" else JsonLinesFormat().write
    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        if batch is not None and not database.read(partial(_is_batch, name=batch)):
            return
        ids = [chunk for chunk, _ in database.read(partial(chunks_with_results, batch=batch))]
        yield encode([columns]) if form == "csv" else b""
        for rows in _portions(database, ids):
            stream = io.BytesIO()
            write(rows, stream, columns)
            yield stream.getvalue()


def export_rows(url: str, batch: str | None, patience_s: float = 2) -> Iterator[ResultRow]:
    """The same results one by one. Raises as `export_pieces`; QueueRefused where there is no such batch."""
    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        ids = [chunk for chunk, _ in database.read(partial(chunks_with_results, batch=batch))]
        for rows in _portions(database, ids):
            yield from rows


def is_batch(url: str, name: str, patience_s: float = 2) -> bool:
    """Raises as `export_pieces`."""
    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        return database.read(partial(_is_batch, name=name))


def _is_batch(connection: Connection, name: str) -> bool:
    return batch_id_of(connection, name) is not None


def _portions(database: Database, ids: Sequence[int]) -> Iterator[Sequence[ResultRow]]:
    order = (results.c.chunk_id, results.c.number)
    for start in range(0, len(ids), _CHUNKS_TOGETHER):
        some = results.c.chunk_id.in_(ids[start : start + _CHUNKS_TOGETHER])
        query = NOTED_ROWS.where(some).order_by(*order).limit(TOGETHER)
        rows = database.read(partial(_read, query=query))
        while rows:
            yield rows
            if len(rows) < TOGETHER:
                break
            last = tuple_(literal(rows[-1].chunk), literal(rows[-1].result.number))
            rows = database.read(partial(_read, query=query.where(tuple_(*order) > last)))


def _read(connection: Connection, query: Select[Any]) -> list[ResultRow]:
    return [unpack_row(row) for row in connection.execute(query)]
