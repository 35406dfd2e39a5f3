"""The pictures that failed, of all batches or of one, by why: a page at a time, read, never written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from worker.queue.chosen import read_rows
from worker.queue.model import ResultRow
from worker.queue.schema import batch_id_of
from worker.review.choice import FAILED, After, ResultFilter
from worker.review.given_up import given_up_keys, read_given_up
from worker.review.opened import open_results

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

    with open_results(url, patience_s) as (database, _):
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
