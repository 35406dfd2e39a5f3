"""Results: as rows and back, stored by the statement that is run most often, and read again."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from sys import byteorder
from typing import Any

from sqlalchemy import ARRAY, Connection, Row, Text, and_, bindparam, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from worker.answers.confidence import least_confidence, mean_confidence
from worker.answers.notes import Note
from worker.answers.page_names import page_name
from worker.queue.database.sql import db_now, given_pairs, storable
from worker.queue.model import QueueRefused, Result, ResultRow
from worker.queue.schema import ENDED, attempts, batch_id_of, batches, chunks, images, results

LONGEST_ERROR = 500  # characters


def pack(result: Result) -> dict[str, Any]:
    """Columns of `results` that are the result's own."""
    return {
        "number": result.number,
        "smiles": storable(result.smiles),
        "tokens": json.dumps(result.tokens, separators=(",", ":")),
        "confidences": pack_floats(result.confidences),
        "truncated": result.truncated,
        "error": None if result.error is None else storable(result.error[:LONGEST_ERROR]),
        "precision": result.precision,
        "sha256": bytes.fromhex(result.sha256),
        **pack_derived(result, result.notes),
    }


def pack_derived(result: Result, notes: Sequence[Note]) -> dict[str, Any]:
    """Columns that can be made from the others (from confidences as they are kept), but for what only the
    image showed.
    """
    kept = unpack_floats(pack_floats(result.confidences))
    return {
        "least_confidence": least_confidence(kept),
        "mean_confidence": mean_confidence(kept),
        "notes": pack_notes(notes),
    }


def unpack(row: Row[Any]) -> Result:
    values = row._mapping
    return Result(
        number=values["number"],
        smiles=values["smiles"],
        tokens=tuple(json.loads(values["tokens"])),
        confidences=unpack_floats(values["confidences"]),
        truncated=values["truncated"],
        error=values["error"],
        precision=values["precision"],
        sha256=bytes(values["sha256"]).hex(),
        notes=unpack_notes(values.get("notes")),
    )


def unpack_row(row: Row[Any]) -> ResultRow:
    directory, name = row.directory, page_name(row.name, row._mapping.get("page"))
    return ResultRow(
        batch=row.batch,
        chunk=row.chunk_id,
        image=f"{directory}/{name}" if directory else name,
        result=unpack(row),
        engine=row.engine,
        model=row.model,
        worker=row.worker,
        host=row.host,
        stored_at=row.stored_at,
    )


def pack_notes(notes: Sequence[Note]) -> str | None:
    if not notes:
        return None
    return json.dumps(
        {note.name: storable(note.evidence) for note in notes}, ensure_ascii=False, separators=(",", ":")
    )


def unpack_notes(packed: str | None) -> tuple[Note, ...]:
    return tuple(Note(name, evidence) for name, evidence in json.loads(packed or "{}").items())


def pack_floats(values: tuple[float, ...]) -> bytes:
    packed = array("f", values)
    if byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def unpack_floats(data: bytes) -> tuple[float, ...]:
    packed = array("f", bytes(data))
    if byteorder == "big":
        packed.byteswap()
    return tuple(packed)


GIVEN = (
    "number",
    "smiles",
    "tokens",
    "confidences",
    "truncated",
    "error",
    "precision",
    "sha256",
    "least_confidence",
    "mean_confidence",
    "notes",
)
KEYS = ("chunk_id", "batch_id", "token", "stored_at")
BATCH_OF_CHUNK = select(chunks.c.batch_id).where(chunks.c.id == bindparam("chunk_id")).scalar_subquery()

# SQLite takes a row at a time
ADD_ROW = (
    sqlite.insert(results)
    .values(
        {name: bindparam(name) for name in ("chunk_id", "token", *GIVEN)}
        | {"batch_id": BATCH_OF_CHUNK, "stored_at": db_now()}
    )
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
            BATCH_OF_CHUNK,
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


ADDED_LATER = ("batch_id", "least_confidence", "mean_confidence", "notes")
RESULT_ROWS = (
    select(
        *(column for column in results.c if column.name not in ADDED_LATER),
        batches.c.name.label("batch"),
        chunks.c.directory,
        images.c.name,
        attempts.c.engine,
        attempts.c.model,
        attempts.c.worker,
        attempts.c.host,
    )
    .join(images, and_(images.c.chunk_id == results.c.chunk_id, images.c.number == results.c.number))
    .join(attempts, and_(attempts.c.chunk_id == results.c.chunk_id, attempts.c.token == results.c.token))
    .join(chunks, chunks.c.id == results.c.chunk_id)
    .join(batches, batches.c.id == chunks.c.batch_id)
)
NOTED_ROWS = RESULT_ROWS.add_columns(results.c.notes, images.c.page)
RESULTS_OF = NOTED_ROWS.where(results.c.chunk_id.in_(bindparam("chunks", expanding=True))).order_by(
    results.c.chunk_id, results.c.number
)
# `keys`: a JSON list of chunks with numbers
IS_ONE_OF_THESE = tuple_(results.c.chunk_id, results.c.number).op("IN", is_comparison=True)(
    given_pairs(bindparam("keys", type_=Text))
)


def read_results(connection: Connection, chunk_ids: Sequence[int]) -> list[ResultRow]:
    return [unpack_row(row) for row in connection.execute(RESULTS_OF, {"chunks": list(chunk_ids)})]


def readable_image(connection: Connection, source: str) -> str | None:
    """The key of an image of the source that was recognised, and so could be read; None before the first."""
    good = and_(batches.c.source == source, chunks.c.images_done > chunks.c.images_failed)
    join = chunks.join(batches, batches.c.id == chunks.c.batch_id)
    chunk = connection.execute(
        select(chunks.c.id).select_from(join).where(good).limit(1)
    ).scalar_one_or_none()
    if chunk is None:
        return None
    query = RESULT_ROWS.where(results.c.chunk_id == chunk, results.c.error.is_(None)).limit(1)
    row = connection.execute(query).one_or_none()
    return None if row is None else f"{row.directory}/{row.name}" if row.directory else row.name


def chunks_with_results(connection: Connection, batch: str | None) -> list[tuple[int, int]]:
    """All or a batch's, in order, with how many results there are."""
    query = select(chunks.c.id, chunks.c.images_done).where(chunks.c.images_done > 0).order_by(chunks.c.id)
    if batch is not None:
        found = batch_id_of(connection, batch)
        if found is None:
            raise QueueRefused(f"there is no batch {batch}")
        query = query.where(chunks.c.batch_id == found)
    return [(chunk, count) for chunk, count in connection.execute(query)]


def ended_files(connection: Connection) -> list[tuple[str, str | None]]:
    query = (
        select(batches.c.name, chunks.c.id, chunks.c.file)
        .join(batches, batches.c.id == chunks.c.batch_id)
        .where(chunks.c.state.in_(ENDED))
        .order_by(chunks.c.id)
    )
    return [(f"{batch}/{chunk}", file) for batch, chunk, file in connection.execute(query)]
