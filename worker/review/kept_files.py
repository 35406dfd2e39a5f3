"""Which stored files of chunks count: the result file, and thumbnails of attempts whose answers stand."""

from __future__ import annotations

from collections import defaultdict

from sqlalchemy import Connection, and_, exists, select

from worker.queue.database.connections import Database
from worker.queue.maintenance import old_batches
from worker.queue.schema import ENDED, attempts, batches, chunks, results
from worker.review.pack import pack_key


def answering_tokens(database: Database, chunk: int) -> list[int]:
    """Of the attempts that gave the results which the chunk has now."""
    query = select(results.c.token).where(results.c.chunk_id == chunk).distinct()
    return database.read(lambda connection: list(connection.execute(query).scalars()))


def kept_files(database: Database, older_than_s: float) -> list[tuple[str, frozenset[str]]]:
    """The folder of each chunk at an end, with the keys below it that count. Of batches that have been at an
    end for so long no thumbnails do: nobody could ask for them when the batch is gone.
    """
    return database.read(lambda connection: _read(connection, older_than_s))


def _read(connection: Connection, older_than_s: float) -> list[tuple[str, frozenset[str]]]:
    old = set(old_batches(connection, older_than_s))
    answered = exists().where(results.c.chunk_id == attempts.c.chunk_id, results.c.token == attempts.c.token)
    tokens = defaultdict(list)
    for chunk, token in connection.execute(select(attempts.c.chunk_id, attempts.c.token).where(answered)):
        tokens[chunk].append(token)
    ended = and_(chunks.c.batch_id == batches.c.id, chunks.c.state.in_(ENDED))
    rows = connection.execute(
        select(batches.c.id, batches.c.name, chunks.c.id, chunks.c.file).where(ended).order_by(chunks.c.id)
    )
    found = []
    for batch_id, batch, chunk, file in rows:
        folder = f"{batch}/{chunk}"
        packs = () if batch_id in old else (pack_key(folder, token) for token in tokens[chunk])
        found.append((folder, frozenset((*packs, *((file,) if file else ())))))
    return found
