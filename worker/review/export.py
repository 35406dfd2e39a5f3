"""A batch's results, or all, as pieces of an export: read some at a time, so that memory is bounded whatever
a batch holds, and no transaction is as long as a slow reader takes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, BinaryIO, Protocol

from sqlalchemy import Connection, Select, literal, tuple_

from worker.exports.base import COLUMNS, WITHOUT_LISTS, Columns
from worker.exports.csv import encode, write_rows
from worker.exports.jsonl import JsonLinesFormat
from worker.queue.chosen import read_rows
from worker.queue.database.connections import Database
from worker.queue.database.migrate import fill_all, open_to_read
from worker.queue.model import QueueRefused, ResultRow
from worker.queue.results import NOTED_ROWS, chunks_with_results, unpack_row
from worker.queue.schema import PAGES_SINCE, batch_id_of, results
from worker.review.choice import UNREVIEWED, After, ResultFilter
from worker.review.reviewed import NO_VERDICTS, Verdicts, places_of, reviewed_places, schema_for

Key = tuple[int, int]  # chunk, number
TOGETHER = 500  # results
_CHUNKS_TOGETHER = 20
EXPORT_FORMATS = ("csv", "jsonl")


class _Write(Protocol):
    def __call__(self, rows: Sequence[ResultRow], stream: BinaryIO, columns: Columns) -> int: ...


def export_pieces(
    url: str, batch: str | None, form: str, with_tokens: bool,
    chosen: ResultFilter | None = None, verdicts: Verdicts = NO_VERDICTS, patience_s: float = 2,
) -> Iterator[bytes]:  # fmt: skip
    """Of one of EXPORT_FORMATS, in order of chunks and pictures, or what is chosen, of a batch, in the order
    of its pages; the first piece is the heading, or empty. None at all where there is no such batch. Raises
    QueueUnavailable; QueueError.
    """
    columns = COLUMNS if with_tokens else WITHOUT_LISTS
    write: _Write = write_rows if form == "csv" else JsonLinesFormat().write
    with open_to_read(url, patience_s, schema_for(chosen or ResultFilter())) as (database, _):
        portions = _portions_of(database, batch, chosen, verdicts)
        if portions is None:
            return
        yield encode([columns]) if form == "csv" else b""
        for rows in portions:
            stream = io.BytesIO()
            write(rows, stream, columns)
            yield stream.getvalue()


def export_rows(
    url: str, batch: str | None, chosen: ResultFilter | None = None, patience_s: float = 2
) -> Iterator[ResultRow]:
    """The same results one by one. Raises as `export_pieces`; QueueRefused where there is no such batch."""
    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        portions = _portions_of(database, batch, chosen, NO_VERDICTS)
        if portions is None:
            raise _no_batch(batch)
        for rows in portions:
            yield from rows


def export_rows_at(url: str, keys: Sequence[Key], patience_s: float = 2) -> Iterator[ResultRow]:
    """Those that are there. Raises as `export_pieces`."""
    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        for start in range(0, len(keys), TOGETHER):
            yield from _rows_at(database, keys[start : start + TOGETHER])


def chosen_rows(
    database: Database, batch: str, chosen: ResultFilter, verdicts: Verdicts = NO_VERDICTS
) -> Iterator[ResultRow]:
    """Of a queue that may be written to: what its results do not say yet is filled in first. Raises
    QueueRefused where there is no such batch.
    """
    fill_all(database)
    portions = _portions_of(database, batch, chosen, verdicts)
    if portions is None:
        raise _no_batch(batch)
    return chain.from_iterable(portions)


def chosen_keys(
    url: str, batch: str, chosen: ResultFilter, verdicts: Verdicts, patience_s: float = 2
) -> list[Key]:
    """Chunk and number of all that are chosen; none where there is no such batch. Raises as
    `export_pieces`.
    """
    with open_to_read(url, patience_s, schema_for(chosen)) as (database, _):
        batch_id = database.read(partial(batch_id_of, name=batch))
        if batch_id is None:
            return []
        return [key for keys in _chosen_keys(database, batch_id, chosen, verdicts) for key in keys]


def is_batch(url: str, name: str, patience_s: float = 2) -> bool:
    """Raises as `export_pieces`."""
    with open_to_read(url, patience_s, PAGES_SINCE) as (database, _):
        return database.read(partial(batch_id_of, name=name)) is not None


def _no_batch(batch: str | None) -> QueueRefused:
    return QueueRefused(f"there is no batch {batch}")


def _portions_of(
    database: Database, batch: str | None, chosen: ResultFilter | None, verdicts: Verdicts
) -> Iterator[Sequence[ResultRow]] | None:
    """None where there is no such batch. Only of one batch are some chosen."""
    batch_id = None if batch is None else database.read(partial(batch_id_of, name=batch))
    if batch is not None and batch_id is None:
        return None
    if batch_id is not None and chosen is not None:
        pieces = _chosen_keys(database, batch_id, chosen, verdicts)
        return (_rows_at(database, keys) for keys in pieces)
    return _portions(
        database, [chunk for chunk, _ in database.read(partial(chunks_with_results, batch=batch))]
    )


def _chosen_keys(
    database: Database, batch_id: int, chosen: ResultFilter, verdicts: Verdicts
) -> Iterator[Sequence[Key]]:
    """In the order of the batch's pages."""
    if chosen.review and chosen.review != UNREVIEWED:  # which are few, and in no order
        read_all = partial(reviewed_places, batch_id=batch_id, chosen=chosen, verdicts=verdicts)
        places = database.read(lambda connection: sorted(read_all(connection)))
        for start in range(0, len(places), TOGETHER):
            yield [place[1:] for place in places[start : start + TOGETHER]]
        return
    read = partial(places_of, batch_id=batch_id, chosen=chosen, count=TOGETHER, verdicts=verdicts)
    after: After | None = None
    while places := database.read(partial(read, after=after)):
        yield [place[1:] for place in places]
        after = After(*places[-1])


def _rows_at(database: Database, keys: Sequence[Key]) -> list[ResultRow]:
    rows = database.read(partial(read_rows, pairs=keys))
    return [rows[key] for key in keys if key in rows]


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
