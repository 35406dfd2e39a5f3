"""Results of a chunk into the database: the statement that is run most often, and with the most values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, Connection, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.queue.model import Result
from worker.queue.results import pack
from worker.queue.schema import chunks, results
from worker.queue.sql import db_now

GIVEN = ("number", "smiles", "tokens", "confidences", "truncated", "error", "precision", "sha256")
KEYS = ("chunk_id", "token", "stored_at")

# SQLite takes a row at a time
ADD_ROW = (
    sqlite.insert(results)
    .values({name: bindparam(name) for name in ("chunk_id", "token", *GIVEN)} | {"stored_at": db_now()})
    .on_conflict_do_nothing()
    .returning(results.c.error)
)
# PostgreSQL takes each column as one array: a statement of always the same length is parsed and planned once
given = func.unnest(
    *(bindparam(name, type_=ARRAY(results.c[name].type)) for name in GIVEN)
).table_valued(*GIVEN, name="given").render_derived()  # fmt: skip
ADD_ARRAYS = (
    postgresql.insert(results)
    .from_select(
        (*KEYS, *GIVEN),
        select(
            bindparam("chunk_id", type_=results.c.chunk_id.type),
            bindparam("token", type_=results.c.token.type),
            db_now(),
            *(given.c[name] for name in GIVEN),
        ),
    )
    .on_conflict_do_nothing()
    .returning(results.c.error)
)
# Progress ends the row of faults.
COUNT_STORED = (
    update(chunks)
    .where(chunks.c.id == bindparam("chunk"))
    .values(
        images_done=chunks.c.images_done + bindparam("done"),
        images_failed=chunks.c.images_failed + bindparam("failed"),
        faults=0,
    )
)


def add_results(connection: Connection, chunk: int, token: int, given: Sequence[Result]) -> None:
    """Results of images that have none yet, counted."""
    if not given:
        return
    rows = [pack(result) for result in given]
    errors = _add(connection, {"chunk_id": chunk, "token": token}, rows)
    failed = sum(error is not None for error in errors)
    connection.execute(COUNT_STORED, {"chunk": chunk, "done": len(errors), "failed": failed})


def _add(connection: Connection, keys: dict[str, int], rows: list[dict[str, Any]]) -> Sequence[str | None]:
    """The errors, or none, of the rows that were not there yet."""
    if connection.dialect.name == "postgresql":
        columns = {name: [row[name] for row in rows] for name in GIVEN}
        return connection.execute(ADD_ARRAYS, keys | columns).scalars().all()
    return connection.execute(ADD_ROW, [keys | row for row in rows]).scalars().all()
