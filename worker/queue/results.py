"""A result as its row and back."""

from __future__ import annotations

import json
from array import array
from collections.abc import Mapping
from sys import byteorder
from typing import Any

from sqlalchemy import Row

from worker.queue.model import Result, ResultRow

LONGEST_ERROR = 500  # characters


def pack(result: Result) -> dict[str, Any]:
    """Columns of `results` that are the result's own."""
    return {
        "number": result.number,
        "smiles": clean(result.smiles),
        "tokens": json.dumps(result.tokens, separators=(",", ":")),
        "confidences": pack_floats(result.confidences),
        "truncated": result.truncated,
        "error": None if result.error is None else clean(result.error[:LONGEST_ERROR]),
        "precision": result.precision,
        "sha256": bytes.fromhex(result.sha256),
    }


def unpack(row: Row[Any] | Mapping[str, Any]) -> Result:
    values = row._mapping if isinstance(row, Row) else row
    return Result(
        number=values["number"],
        smiles=values["smiles"],
        tokens=tuple(json.loads(values["tokens"])),
        confidences=unpack_floats(values["confidences"]),
        truncated=values["truncated"],
        error=values["error"],
        precision=values["precision"],
        sha256=bytes(values["sha256"]).hex(),
    )


def unpack_row(row: Row[Any]) -> ResultRow:
    directory, name = row.directory, row.name
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


def clean(text: str | None) -> str | None:
    """PostgreSQL has no NUL and no lone surrogates in its texts."""
    if text is None:
        return None
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


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
