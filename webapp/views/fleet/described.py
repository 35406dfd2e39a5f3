"""Results as /api/results gives them. Pure."""

from __future__ import annotations

from typing import Any

from worker.review import ResultPage, ResultRow


def describe(row: ResultRow) -> dict[str, Any]:
    result = row.result
    return {
        "chunk": row.chunk,
        "number": result.number,
        "image": row.image,
        "image_hash": row.image_hash if result.sha256 else "",
        "smiles": result.smiles,
        "error": result.error,
        "least_confidence": result.least_confidence,
        "mean_confidence": result.mean_confidence,
        "truncated": result.truncated,
        "notes": {note.name: note.evidence for note in result.notes},
        "engine": row.engine,
        "model": row.model,
        "precision": result.precision,
        "worker": row.worker,
        "host": row.host,
        "stored_at": row.stored_at,
    }


def describe_whole(found: ResultPage) -> dict[str, Any]:
    """With the tokens, parallel to their confidences, both empty where they are not kept."""
    result = found.row.result
    return {
        "batch": found.row.batch,
        **describe(found.row),
        "tokens": list(result.tokens),
        "confidences": list(result.confidences),
        "attempt": found.attempt,
        "claimed_at": found.claimed_at,
        "previous": _key(found.previous),
        "next": _key(found.following),
    }


def _key(key: tuple[int, int] | None) -> dict[str, int] | None:
    return None if key is None else {"chunk": key[0], "number": key[1]}
