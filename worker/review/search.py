"""Which results of a batch are chosen, in order. What an index tells is read by it. For all else (a text, a
note) the first results in order are tried one by one, which is soon done where many are as asked for; where
few are, a part of the batch of bounded size is read through as it is stored, which takes a tenth of the time
that going through it by the index does.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select

from worker.queue.schema import chunks
from worker.review.choice import FAILED, UNREVIEWED, After, Place, ResultFilter, Span

SEARCHED_MAX = 500_000  # results that are read through for one page: about a second
TRIED = 1_000  # results in order that are tried before, and as many again as are wanted


def find_places(
    connection: Connection,
    batch_id: int,
    chosen: ResultFilter,
    after: After | None,
    count: int,
    span: Span | None,
    *,
    is_backward: bool = False,
) -> list[Place]:
    """The first `count` results after that place, in the filter's order; or those before it, the nearest
    first. `span` as of `span_of`.
    """
    if span is None or chosen.show == FAILED:  # whose order is that of storage
        return _places(connection, chosen.keys(batch_id, after, count, is_backward=is_backward, span=span))
    tried = chosen.index_keys(batch_id, after, 1, span, is_backward).offset(TRIED + count)
    end = next(iter(_places(connection, tried)), None)
    if end is not None:
        near = chosen.keys(batch_id, after, count, is_backward=is_backward, span=span, end=end)
        found = _places(connection, near)
        if len(found) == count:
            return found
    scans = chosen.scans(batch_id, after, count, span, is_backward)
    return sorted({place for query in scans for place in _places(connection, query)}, reverse=is_backward)[
        :count
    ]


def span_of(
    connection: Connection, batch_id: int, chosen: ResultFilter, since: int = 0, most: int = SEARCHED_MAX
) -> Span | None:
    """The part of the batch that a search for such results looks through, beyond a chunk: whole chunks, of
    `most` results or one chunk more. None where nothing is searched.
    """
    if not chosen.is_searched or chosen.review not in ("", UNREVIEWED):
        return None
    own = chosen.chunks_of(batch_id).with_only_columns(
        chunks.c.id,
        chunks.c.images_done,
        func.sum(chunks.c.images_done).over(order_by=chunks.c.id).label("running"),
    )
    part = own.where(chunks.c.id > since).subquery()
    until, looked_at = connection.execute(
        select(func.max(part.c.id), func.coalesce(func.sum(part.c.images_done), 0)).where(
            part.c.running - part.c.images_done < most
        )
    ).one()
    of_all = chosen.chunks_of(batch_id).with_only_columns(func.coalesce(func.sum(chunks.c.images_done), 0))
    total = connection.execute(of_all).scalar_one()
    before = connection.execute(of_all.where(chunks.c.id <= since)).scalar_one() if since else 0
    return Span(since, since if until is None else until, int(before), int(looked_at), int(total))


def span_with(
    connection: Connection, batch_id: int, chosen: ResultFilter, chunk: int, most: int = SEARCHED_MAX
) -> Span | None:
    """The one that the chunk is in."""
    span = span_of(connection, batch_id, chosen, 0, most)
    while span is not None and span.until < chunk and not span.is_last:
        span = span_of(connection, batch_id, chosen, span.until, most)
    return span


def _places(connection: Connection, query: Select[Any]) -> list[Place]:
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]
