"""Fills the columns of results that say how sure and how odd they are, from what is kept of each: of results
that an earlier version stored, or still stores while hosts are brought up to date. In pieces, each a
transaction of its own, so that no worker waits long and memory stays bounded.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from worker.answers.notes import notes_on_answer
from worker.queue.database.connections import Database
from worker.queue.results import pack_derived, unpack
from worker.queue.schema import chunks, results

PIECE = 1_000  # results

TO_FILL = (
    select(
        *(results.c[name] for name in ("chunk_id", "number", "smiles", "tokens", "confidences", "truncated")),
        *(results.c[name] for name in ("error", "precision", "sha256", "notes")),
        chunks.c.batch_id.label("of_batch"),
    )
    .join(chunks, chunks.c.id == results.c.chunk_id)
    .where(results.c.batch_id.is_(None))
    .order_by(results.c.chunk_id)
    .limit(PIECE)
)
FILL = (
    update(results)
    .where(results.c.chunk_id == bindparam("of_chunk"), results.c.number == bindparam("of_number"))
    .values({name: bindparam(name) for name in ("batch_id", "least_confidence", "mean_confidence", "notes")})
)


def fill_all(database: Database) -> None:
    """Writes only where something is to be filled: who may only read a queue that is whole can call it."""
    while database.read(is_unfilled):
        database.write(fill_piece)


def is_unfilled(connection: Connection) -> bool:
    return connection.execute(TO_FILL.limit(1)).first() is not None


def fill_piece(connection: Connection) -> int:
    """How many were filled; 0 when none is left."""
    rows = connection.execute(TO_FILL).all()
    if rows:
        connection.execute(FILL, [filled(row) for row in rows])
    return len(rows)


def filled(row: Any) -> dict[str, Any]:
    result = unpack(row)
    notes = notes_on_answer(result.smiles, result.tokens, result.truncated)
    key = {"of_chunk": row.chunk_id, "of_number": row.number, "batch_id": row.of_batch}
    return key | pack_derived(result, notes)
