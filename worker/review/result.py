"""One result with its neighbours in a batch's list: read in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, and_, select

from worker.queue.chosen import read_rows
from worker.queue.database.migrate import open_to_read
from worker.queue.model import ResultRow
from worker.queue.schema import attempts, results
from worker.queue.statistics.hosts import read_doubtful_below
from worker.review.choice import FAILED, After, Place, ResultFilter
from worker.review.reviewed import NO_VERDICTS, Verdicts, places_of, schema_for
from worker.review.search import SEARCHED_MAX, span_with

# Those before, the nearest first, the one after, and where the page of the list begins
Neighbours = tuple[list[Place], list[Place], After | None]
LARGEST = 2**31  # no chunk and no number is


@dataclass(frozen=True, slots=True)
class ResultPage:
    """`previous` and `following` are the neighbours in the list that was chosen, chunk and number; None at
    its ends, and where the result itself has no place in it. `list_after` begins a page of the list a few
    results before this one; None: the first page has it.
    """

    row: ResultRow
    doubtful_below: float  # least confidence
    attempt: int  # which claim of its chunk read it
    claimed_at: float
    previous: tuple[int, int] | None
    following: tuple[int, int] | None
    list_after: After | None


def read_result_page(
    url: str, chunk: int, number: int, chosen: ResultFilter, before: int,
    verdicts: Verdicts = NO_VERDICTS, patience_s: float = 2, searched_max: int = SEARCHED_MAX,
) -> ResultPage | None:  # fmt: skip
    """`before`: how many results a page of the list has before this one. None where there is no such result.
    Raises QueueUnavailable, QueueError.
    """
    if not (0 < chunk < LARGEST and 0 <= number < LARGEST):
        return None
    with open_to_read(url, patience_s, schema_for(chosen)) as (database, _):
        find = partial(
            _neighbours, chosen=chosen, before=before, verdicts=verdicts, searched_max=searched_max
        )
        return database.read(partial(_read, key=(chunk, number), chosen=chosen, find_neighbours=find))


def _read(
    connection: Connection,
    key: tuple[int, int],
    chosen: ResultFilter,
    find_neighbours: Callable[[Connection, int, After], Neighbours],
) -> ResultPage | None:
    same = and_(attempts.c.chunk_id == results.c.chunk_id, attempts.c.token == results.c.token)
    query = select(
        results.c.batch_id, results.c.least_confidence, results.c.token, attempts.c.claimed_at
    ).join(attempts, same)
    found = connection.execute(
        query.where(results.c.chunk_id == key[0], results.c.number == key[1])
    ).one_or_none()
    row = read_rows(connection, [key]).get(key)
    if found is None or row is None:
        return None
    here = After(found.least_confidence or 0.0, *key)
    is_listed = chosen.show == FAILED or found.least_confidence is not None
    earlier, later, list_after = (
        find_neighbours(connection, found.batch_id, here)
        if found.batch_id is not None and is_listed
        else ([], [], None)
    )
    return ResultPage(
        row=row,
        doubtful_below=read_doubtful_below(connection),
        attempt=found.token,
        claimed_at=found.claimed_at,
        previous=earlier[0][1:] if earlier else None,
        following=later[0][1:] if later else None,
        list_after=list_after,
    )


def _neighbours(
    connection: Connection,
    batch_id: int,
    here: After,
    chosen: ResultFilter,
    before: int,
    verdicts: Verdicts,
    searched_max: int,
) -> Neighbours:
    span = span_with(connection, batch_id, chosen, here.chunk, searched_max)
    read = partial(places_of, connection, batch_id, chosen, here, verdicts=verdicts, span=span)
    earlier, later = read(count=before + 1, is_backward=True), read(count=1)
    if len(earlier) > before:
        return earlier, later, After(*earlier[-1], since=0 if span is None else span.since)
    return earlier, later, None if span is None else span.beginning
