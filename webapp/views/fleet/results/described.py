"""Results as /api/results gives them. Pure."""

from __future__ import annotations

from typing import Any

from worker.review import LISTS, WITHOUT_LISTS, ResultPage, ResultRow, Span, result_object

_SHOWN = tuple(name for name in WITHOUT_LISTS if name not in ("batch", "sha256"))


def describe(row: ResultRow) -> dict[str, Any]:
    """As exports have it, but for the batch, which the address names; the picture's hash has its page."""
    result = row.result
    return {
        "number": result.number,
        "image_hash": row.image_hash if result.sha256 else "",
        **result_object(row, _SHOWN),
    }


def describe_whole(found: ResultPage) -> dict[str, Any]:
    """With the tokens, parallel to their confidences, both empty where they are not kept."""
    return {
        **describe(found.row),
        **result_object(found.row, ("batch", *LISTS)),
        "attempt": found.attempt,
        "claimed_at": found.claimed_at,
        "previous": _key(found.previous),
        "next": _key(found.following),
    }


def describe_search(searched: Span) -> dict[str, int]:
    return {"before": searched.before, "results": searched.looked_at, "of": searched.total}


def _key(key: tuple[int, int] | None) -> dict[str, int] | None:
    return None if key is None else {"chunk": key[0], "number": key[1]}
