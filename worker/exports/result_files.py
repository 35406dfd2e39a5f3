"""Results as JSON lines: one object an image, with where it came from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from worker.queue import ResultRow


def result_object(row: ResultRow) -> dict[str, Any]:
    result = row.result
    return {
        "batch": row.batch,
        "chunk": row.chunk,
        "image": row.image,
        "smiles": result.smiles,
        "error": result.error,
        "truncated": result.truncated,
        "tokens": result.tokens,
        "confidences": [round(value, 6) for value in result.confidences],
        "sha256": result.sha256,
        "engine": row.engine,
        "model": row.model,
        "precision": result.precision,
        "worker": row.worker,
        "host": row.host,
        "stored_at": row.stored_at,
    }


def result_line(row: ResultRow) -> str:
    return json.dumps(result_object(row), ensure_ascii=False, separators=(",", ":")) + "\n"


def write_result_file(path: Path, rows: Iterable[ResultRow]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(result_line(row))
