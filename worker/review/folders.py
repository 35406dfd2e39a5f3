"""The folders that a batch's pictures lie in."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from worker.queue.schema import chunks

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
