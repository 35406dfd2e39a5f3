"""The latest results, without an index by time, which would have to be kept up with each result: they are in
chunks that were stored to, or ended, lately.
"""

from __future__ import annotations

import json

from sqlalchemy import Connection, bindparam, func, select, text

from worker.queue.model import ResultRow
from worker.queue.results import IS_ONE_OF_THESE, NOTED_ROWS, RESULT_ROWS, unpack_row
from worker.queue.schema import attempts, chunks, results

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
    chosen = choose([tuple(row) for query in (STORED_TO, ENDED_LATELY) for row in connection.execute(query)])
    keys = [tuple(row) for row in connection.execute(NEWEST, {"chunks": chosen, "last": last})]
    query = (NOTED_ROWS if is_newest else RESULT_ROWS).where(IS_ONE_OF_THESE).order_by(*LATEST_FIRST)
    return tuple(unpack_row(row) for row in connection.execute(query, {"keys": json.dumps(keys)}))


def choose(counted: list[tuple[int, int]]) -> list[int]:
    """The first of the chunks (id, results) that have no more than MOST_ROWS together; at least one."""
    chosen: list[int] = []
    rows = 0
    for chunk, count in counted:
        rows += count
        if chosen and rows > MOST_ROWS:
            break
        chosen.append(chunk)
    return chosen
