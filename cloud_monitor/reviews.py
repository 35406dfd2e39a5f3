"""What people said of the answers that were read in pictures, as the page tells it and the worker's exports
take it: JSON lines, a review each.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

RIGHT, WRONG, CORRECTED = VERDICTS = ("right", "wrong", "corrected")
HASH_MAX = 100  # characters
SMILES_MAX = 4000  # longer than any that the model writes
REVIEWER_MAX = 80
LINE_MAX = 100_000  # bytes, when each character is escaped


class Review(NamedTuple):
    """Of one answer, the SMILES, to one picture: `image_hash` is the SHA-256 of its file, with `#page=3`
    where that has several pages. `corrected_smiles` is there where the verdict is CORRECTED.
    """

    image_hash: str
    smiles: str
    verdict: str
    corrected_smiles: str | None
    reviewer: str
    reviewed_at: float  # epoch seconds


def write_line(review: Review) -> str:
    """ASCII, with a line's end; nothing in it is markup to a careless reader."""
    return json.dumps(review._asdict(), separators=(",", ":")).replace("<", "\\u003c") + "\n"


def read_line(line: str | bytes) -> Review:
    """Fields that are not known do not count. Raises ValueError with what is wrong."""
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("no JSON") from None
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    review = Review(
        _text(found, "image_hash", HASH_MAX),
        _text(found, "smiles", SMILES_MAX),
        _text(found, "verdict", 20),
        None if found.get("corrected_smiles") is None else _text(found, "corrected_smiles", SMILES_MAX),
        _text(found, "reviewer", REVIEWER_MAX),
        _time(found.get("reviewed_at")),
    )
    if review.verdict not in VERDICTS:
        raise ValueError(f"verdict {review.verdict!r} is none of {', '.join(VERDICTS)}")
    if (review.verdict == CORRECTED) != (review.corrected_smiles is not None):
        raise ValueError("corrected_smiles: goes with the verdict `corrected`, and with no other")
    return review


def _text(found: dict[str, Any], name: str, length_max: int) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= length_max:
        raise ValueError(f"{name}: is no text of 1 to {length_max:,} characters")
    return value


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("reviewed_at: is no time in epoch seconds")
    return float(value)
